"""Which form builder sent this? Told by names that only one builder gives to its fields, else by its program's name.

The request says it under "where it came from"; nothing else depends on it, so a builder that is not recognised loses
nothing but the label. None of this was compared with the live services yet (README).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from plugins.web_form.form import Form

TILDA = "Tilda"
ELEMENTOR = "Elementor"
CONTACT_FORM_7 = "Contact Form 7"
WPFORMS = "WPForms"
GOOGLE_FORMS = "Google Forms"
WORDPRESS = "WordPress"
HTML = "HTML"

_MARKS: Final[Mapping[str, str]] = {
    "tranid": TILDA,
    "COOKIES": TILDA,
    "response.id": GOOGLE_FORMS,
    "responseId": GOOGLE_FORMS,
    "_wpcf7": CONTACT_FORM_7,
    "_wpcf7_unit_tag": CONTACT_FORM_7,
    "your-name": CONTACT_FORM_7,
    "your-email": CONTACT_FORM_7,
    "your-message": CONTACT_FORM_7,
    "wpforms.id": WPFORMS,
    "wpforms_id": WPFORMS,
    "wpforms": WPFORMS,
}
_PROGRAMS: Final = (
    ("google-apps-script", GOOGLE_FORMS),
    ("wpforms", WPFORMS),
    ("tilda", TILDA),
    ("wordpress/", WORDPRESS),
)
_TILDA_UTM = "TILDAUTM="


def builder_of(form: Form, headers: Mapping[str, str]) -> str:
    """Its name, or "" for a relay of somebody's own."""
    if form.hints:
        return ELEMENTOR
    named = False
    for path, _ in form.pairs:
        found = _MARKS.get(path)
        if found is not None:
            return found
        named = named or path == "form_name"
    if named and any(path == "form_id" for path, _ in form.pairs):
        return ELEMENTOR
    program = headers.get("user-agent", "")[:200].casefold()
    for mark, name in _PROGRAMS:
        if mark in program:
            return name
    return HTML if "text/html" in headers.get("accept", "") else ""


def tilda_campaign(cookies: str) -> str:
    """The query of utm_* that Tilda keeps in the visitor's cookies; "" where there is none.

    The form's own fields win over it: they are of this visit, the cookie may be of an earlier one.
    """
    _, found, rest = cookies.partition(_TILDA_UTM)
    return rest.partition(";")[0].strip() if found else ""
