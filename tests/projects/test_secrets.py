"""Secrets are unreadable at rest, survive a rotation of SECRET_KEY, and say clearly when the key is gone."""

import pytest

from releases.projects.secrets import SecretUnreadable, decrypt, encrypt, rotate


def test_a_secret_comes_back_and_its_stored_form_does_not_show_it(settings):
    stored = encrypt("glpat-ä-token")
    assert decrypt(stored) == "glpat-ä-token"
    assert "token" not in stored
    assert stored != encrypt("glpat-ä-token")


def test_after_a_rotation_old_secrets_are_read_with_the_fallback(settings):
    settings.SECRET_KEY = "first"
    stored = encrypt("s3cret")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "second", ["first"]
    assert decrypt(stored) == "s3cret"
    renewed = rotate(stored)
    settings.SECRET_KEY_FALLBACKS = []
    assert decrypt(renewed) == "s3cret"
    with pytest.raises(SecretUnreadable):
        decrypt(stored)


def test_a_changed_key_says_what_to_do(settings):
    settings.SECRET_KEY = "first"
    stored = encrypt("s3cret")
    settings.SECRET_KEY = "another"
    with pytest.raises(SecretUnreadable, match="SECRET_KEY_FALLBACKS"):
        decrypt(stored)


@pytest.mark.parametrize("broken", ["", "nonsense", "gAAAAABönicht", "x" * 200])
def test_a_broken_stored_value_is_unreadable_and_not_a_crash(broken):
    with pytest.raises(SecretUnreadable):
        decrypt(broken)


def test_a_tampered_value_is_refused():
    stored = encrypt("s3cret")
    middle = len(stored) // 2
    changed = stored[:middle] + ("A" if stored[middle] != "A" else "B") + stored[middle + 1 :]
    with pytest.raises(SecretUnreadable):
        decrypt(changed)
