"""Sign-in and the person's own settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.core.exceptions import ValidationError

from .models import User

if TYPE_CHECKING:
    UserForm = forms.ModelForm[User]
else:
    UserForm = forms.ModelForm


class SignInForm(AuthenticationForm):
    """Says why a demo account is refused; everything else stays one message, so that names cannot be tried out."""

    error_messages = {
        "invalid_login": "This name and password do not belong together. Both are case-sensitive.",
        "inactive": "This account is switched off.",
        "demo": "Demo log-ins work only while the dashboard listens on this machine alone.",
    }

    def __init__(self, request: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        self.fields["username"].widget.attrs |= {"autocomplete": "username", "autocapitalize": "none"}
        self.fields["password"].widget.attrs |= {"autocomplete": "current-password"}

    def clean(self) -> dict[str, Any]:
        name = self.cleaned_data.get("username")
        if not settings.DEMO_LOGINS_ALLOWED and User.objects.filter(username=name, is_demo=True).exists():
            raise ValidationError(self.error_messages["demo"], code="demo")
        return super().clean()


def _style(form: forms.BaseForm) -> None:
    """Fields look like those of every other form."""
    for field in form.fields.values():
        field.widget.attrs["class"] = "input"


class NameForm(UserForm):
    """What a person may change about themselves."""

    class Meta:
        model = User
        fields = ["first_name", "email", "mail_approvals"]
        labels = {
            "first_name": "Name shown to others",
            "email": "E-mail address",
            "mail_approvals": "When a deployment waits for my approval",
        }
        help_texts = {"mail_approvals": "The e-mail says what would ship, and has the link."}
        widgets = {
            "first_name": forms.TextInput(attrs={"autocomplete": "given-name"}),
            "email": forms.EmailInput(attrs={"autocomplete": "email"}),
            "mail_approvals": forms.Select(choices=((False, "Send me nothing"), (True, "Send me one e-mail"))),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _style(self)
        if not settings.EMAIL_HOST:
            self.fields["mail_approvals"].help_text = "No e-mail leaves here yet: the operator named no mail server."


class OwnPasswordForm(PasswordChangeForm):
    """Django's own, without the field order that jumps to the new password."""

    field_order = ["old_password", "new_password1", "new_password2"]

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(user, *args, **kwargs)
        _style(self)
