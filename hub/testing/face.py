"""The checks of what a plugin says about itself; the same for channels and carriers."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar, TypeVar

import pytest
from pydantic import BaseModel, ValidationError

from hub.sdk import SDK_VERSION, CarrierPlugin, ChannelPlugin
from hub.sdk.soundness import Nonsense, check_sound
from hub.testing.host import LoopbackHost
from hub.testing.purity import watched

Check = TypeVar("Check", bound=Callable[..., Any])
SECRET_WORDS = ("token", "secret", "password", "api_key", "bearer")


def requires(need: str) -> Callable[[Check], Check]:
    """This check exists only where the kit's `applies(need)` is true: the pytest plugin then leaves it out.

    Where the pytest plugin is not active the check is met trivially.
    """

    def mark(check: Check) -> Check:
        @wraps(check)
        def guarded(self: Any, *args: Any, **kwargs: Any) -> Any:
            return check(self, *args, **kwargs) if self.applies(need) else None

        guarded.__dict__["kit_need"] = need
        return guarded  # type: ignore[return-value]  # the same signature: functools.wraps

    return mark


def check_value(value: object) -> None:
    """Fail where a value is not what the contract says, or cannot be pickled."""
    try:
        check_sound(value)
    except Nonsense as nonsense:
        pytest.fail(f"the contract has another kind of value there: {nonsense}")
    try:
        again = pickle.loads(pickle.dumps(value))  # noqa: S301 - our own bytes
    except Exception as error:  # noqa: BLE001 - that is what is looked for
        pytest.fail(f"{type(value).__name__} cannot be pickled: {type(error).__name__}")
    assert again == value, "it comes out of pickling as another value"


class Face:
    """What both kits share.

    plugin    what the plugin registers
    settings  keys of a valid account, as they would stand in the settings file
    secrets   values that may never be shown; looked for in logs, errors and representations
    """

    plugin: ClassVar[Any] = None
    settings: ClassVar[dict[str, Any]] = {}
    secrets: ClassVar[Any] = ()

    def built(self) -> Any:
        """An object of the plugin, built for the checks."""
        raise NotImplementedError

    def applies(self, need: str) -> bool:
        """Does a check that needs this apply?"""
        return bool(getattr(self.built().capabilities, need, False))

    def registered(self) -> ChannelPlugin | CarrierPlugin:
        """What `plugin` says; a sentence where it says nothing."""
        assert isinstance(self.plugin, (ChannelPlugin, CarrierPlugin)), (
            "set `plugin = PLUGIN` in the kit class: the ChannelPlugin or CarrierPlugin that is registered"
        )
        return self.plugin

    def model(self) -> type[BaseModel]:
        """The settings model."""
        return self.registered().settings

    def test_the_settings_are_frozen_closed_and_described(self) -> None:
        model = self.model()
        assert model.model_config.get("frozen"), "settings must be frozen"
        assert model.model_config.get("extra") == "forbid", "an unknown key must be an error"
        undescribed = [key for key, field in model.model_fields.items() if not field.description]
        assert not undescribed, f"keys without a description: {undescribed}"

    def test_an_unknown_key_of_the_settings_is_named_in_the_error(self) -> None:
        with pytest.raises(ValidationError) as caught:
            self.model().model_validate({**self.settings, "no_such_key": 1})
        assert any("no_such_key" in one["loc"] for one in caught.value.errors())

    def test_keys_that_hold_secrets_are_of_a_secret_type(self) -> None:
        bare = [
            key
            for key, field in self.model().model_fields.items()
            if any(word in key for word in SECRET_WORDS) and field.annotation in {str, bytes}
        ]
        assert not bare, f"use pydantic's SecretStr for {bare}"

    def test_the_settings_describe_themselves_as_a_form(self) -> None:
        """The workspace makes the form of a new account from this."""
        schema = self.model().model_json_schema()
        assert json.loads(json.dumps(schema))["type"] == "object"

    def test_the_plugin_names_itself_in_english_and_ukrainian(self) -> None:
        plugin = self.registered()
        assert plugin.name.isidentifier()
        assert plugin.name == plugin.name.lower()
        assert all(plugin.title.get(language, "").strip() for language in ("en", "uk"))

    def test_the_plugin_has_a_version_and_fits_this_sdk(self) -> None:
        plugin = self.registered()
        assert plugin.version.partition(".")[0].isdigit()
        needs, ours = (tuple(map(int, one.split("."))) for one in (plugin.needs_sdk, SDK_VERSION))
        assert len(needs) == 2
        assert needs[0] == ours[0], "another major version of the SDK"
        assert needs[1] <= ours[1], "a newer SDK than this hub's"

    def test_create_does_no_input_and_output(self) -> None:
        with watched() as deeds:
            self.built()
        assert deeds == []

    def test_the_object_shows_no_secret(self) -> None:
        made = self.built()
        said = repr(made) + str(made) + repr(made.capabilities)
        if self.settings:
            account = self.model().model_validate(self.settings)
            said += repr(account) + str(account)
        for place, secret in enumerate(self.secrets):
            assert secret not in said, f"secrets[{place}] stands in a representation"

    def test_two_accounts_do_not_share_anything_that_changes(self) -> None:
        one, other = self.built(), self.built()
        assert one is not other, "create must build a new object for each account"
        common = [
            name
            for name, value in getattr(one, "__dict__", {}).items()
            if isinstance(value, (dict, list, set, bytearray))
            and value is getattr(other, "__dict__", {}).get(name)
        ]
        assert not common, f"accounts share {common}"

    def host(self) -> LoopbackHost:
        """A host whose network goes nowhere."""
        return LoopbackHost()
