from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "hotfixdash.accounts"
    label = "accounts"
