"""Names that forms give to their fields, in Ukrainian, Russian and English.

Names that Tilda, Elementor, Contact Form 7 and shop engines give by default, and usual wordings of labels;
not a survey: add what real forms bring. Words may stand in any spelling, `normalised` makes them comparable.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Final

# Roles beyond those of the settings: parts of a name, and what identifies a delivery.
SYNONYMS: Final[Mapping[str, str]] = {
    "name": """name fullname fio fname username nickname contactname contactperson customername
        person naming имя фио полноеимя какквамобращаться каквасзовут контактноелицо
        імя піб піп фіо повнеімя імяфамілія імятапрізвище імяіпрізвище прізвищетаімя прізвищеімя прізвищеіімя
        прізвищеімяпобатькові имяифамилия фамилияимя фамилияиимя фамилияимяотчество
        яквасзвати якдовасзвертатися якдовасзвертатись контактнаособа""",
    "given": "firstname givenname",
    "middle": "middlename patronymic побатькові отчество",
    "family": "lastname surname familyname secondname прізвище фамилия",
    "phone": """phone tel telephone mobile mobilephone phonenumber telephonenumber cell cellphone cellular
        contactphone phonemobile tildaphone whatsapp viber номер
        телефон номертелефону телефонужувач мобільний мобільнийтелефон номермобільного мобільнийномер тел моб
        телефондлязвязку номердлязвязку контактнийтелефон контактнийномер телефону
        номертелефона мобильный мобильныйтелефон телефондлясвязи контактныйтелефон сотовый""",
    "email": """email mail emailaddress eaddress mailaddress contactemail imeil
        пошта електроннапошта електроннаадреса адресаелектронноїпошти емейл імейл емеіл мейл поштоваскринька
        emailадреса адресаemail
        почта электроннаяпочта адресэлектроннойпочты электронныйадрес имейл емэйл emailадрес адресemail""",
    "message": """message msg comment comments text textarea question questions request note notes details
        description body messagetext ordercomment ordercomments additionalinfo inquiry enquiry
        повідомлення текстповідомлення коментар коментарі коментардозамовлення питання запитання
        запит побажання текст примітка примітки опис додатковаінформація відгук
        сообщение текстсообщения комментарий комментарии комментарийкзаказу вопрос запрос пожелания примечание
        описание дополнительнаяинформация""",
    "organisation": """organisation organization company companyname firm business
        компанія фірма організація підприємство назвакомпанії назваорганізації назвафірми
        компания фирма организация предприятие названиекомпании названиеорганизации""",
    "subject": "subject topic theme тема темаповідомлення темазвернення темасообщения темаобращения",
}
# In front of a synonym, these words change nothing: "Ваш телефон", "your-name", "billing_phone".
POSSESSIVES = (
    *("ваше", "ваша", "ваш", "введітьваше", "введітьваш", "введіть", "вкажітьваш", "вкажіть", "моє", "мій"),
    *("введитеваше", "введитеваш", "введите", "укажите", "мое", "мой"),
    *("enteryour", "your", "my", "client", "customer", "contact", "user", "billing", "lead", "sender"),
)
# Trailing words that mark a compulsory field.
MARKS = ("обовязково", "обовязковеполе", "обязательно", "required")

SOURCES: Final[Mapping[str, str]] = {
    **{f"utm{name}": f"utm_{name}" for name in ("source", "medium", "campaign", "content", "term", "id")},
    **{name: name for name in ("gclid", "fbclid", "gbraid", "wbraid", "dclid", "msclkid", "ttclid", "yclid")},
    **dict.fromkeys(("page", "pageurl", "pageuri", "pagelink", "formurl", "sourceurl", "landing"), "page"),
    **dict.fromkeys(("referrer", "referer", "httpreferer", "wphttpreferer"), "referrer"),
    **dict.fromkeys(("formname", "formtitle"), "form"),
    **dict.fromkeys(("formid", "wpcf7", "wpformsid"), "form_id"),
}
# Ids of a delivery, matched by the exact path.
IDS: Final[Mapping[str, str]] = {
    "tranid": "tranid",
    "response.id": "gforms",
    "responseId": "gforms",
    "response_id": "gforms",
    "response.timestamp": "sent_at",
    "_nonce": "nonce",
    "_kind": "kind",
    "webhook_id": "ping",
    "COOKIES": "cookies",
    "test": "test",
}
# Cookies are nobody's business; answers of captchas and tokens against forgery say nothing to a seller.
IGNORED = frozenset(
    {
        *("cookies", "formispublished", "formisprivate", "wpnonce", "csrftoken", "csrfmiddlewaretoken"),
        *("grecaptcharesponse", "hcaptcharesponse", "cfturnstileresponse"),
    }
)
# Boxes around the fields, not part of a label ...
BOXES = frozenset({"response", "payload", "data", "fields", "formfields", "formdata", "answers", "values"})
# ... and boxes that say whose fields they are.
PERSONS = frozenset({"contact", "customer", "client", "user", "lead", "buyer", "sender", "billing"})
NO_PERSONS = frozenset(
    {"form", "payment", "product", "products", "item", "items", "order", "shop", "site", "page", "meta"}
)

# U+02BC and its kin count as letters for Python; NFKC turns other marks into non-letters by itself.
_APOSTROPHES = dict.fromkeys(map(ord, "ʼʹʻʽˈˊ＇ꞌ"))
_LOOKALIKES = str.maketrans("aeiopcxyё", "аеіорсхуе")


def normalised(key: str) -> str:
    """Letters and digits of a key, case folded; Latin look-alikes inside Cyrillic words become Cyrillic."""
    folded = unicodedata.normalize("NFKC", key).casefold().translate(_APOSTROPHES)
    plain = "".join(c for c in folded if c.isalnum())
    if "mail" in plain or not any("\u0400" <= c <= "\u04ff" for c in plain):
        return plain
    return plain.translate(_LOOKALIKES)


_BY_KEY: Final[Mapping[str, str]] = {
    normalised(key): role for role, keys in SYNONYMS.items() for key in keys.split()
}


def synonym(plain: str) -> str | None:
    """The role of a normalised key: as it stands, without "your", "*", or a number at its end."""
    for candidate in _variants(plain):
        role = _BY_KEY.get(candidate)
        if role:
            return role
    return None


def _variants(plain: str) -> Iterable[str]:
    yield plain
    short = plain.rstrip("0123456789")
    for mark in MARKS:
        short = short.removesuffix(mark)
    yield short
    for word in POSSESSIVES:
        if short.startswith(word):
            yield short[len(word) :]
