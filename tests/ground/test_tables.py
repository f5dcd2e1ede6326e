"""The tables that a first start makes, and that it does not take long."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import connection, models
from django.db.migrations.operations import CreateModel
from django.db.migrations.state import ModelState, ProjectState

from hotfixdash.tables import CreateModels

ours = [model for label in ("accounts", "releases", "incidents") for model in apps.get_app_config(label).get_models()]


@pytest.mark.django_db
@pytest.mark.parametrize("model", ours, ids=lambda model: model._meta.label)
def test_database_has_the_columns_indexes_and_constraints_of_every_model(model: type[models.Model]) -> None:
    meta = model._meta
    with connection.cursor() as cursor:
        columns = {column.name for column in connection.introspection.get_table_description(cursor, meta.db_table)}
        found = connection.introspection.get_constraints(cursor, meta.db_table)
    assert columns == {field.column for field in meta.local_fields}
    assert {one.name for one in [*meta.indexes, *meta.constraints]} <= set(found)
    pointing = {field.column for field in meta.local_fields if field.remote_field}
    assert pointing == {each["columns"][0] for each in found.values() if each["foreign_key"]}


def _model(name: str, to: str) -> CreateModel:
    return CreateModel(
        name, [("id", models.AutoField(primary_key=True)), ("to", models.ForeignKey(f"made.{to}", models.CASCADE))]
    )


def test_models_are_drawn_up_once_for_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    render = ModelState.render
    monkeypatch.setattr(ModelState, "render", lambda self, to: (drawn.append(self.name), render(self, to))[1])
    state = ProjectState()
    assert not list(state.apps.get_models())
    CreateModels([_model("Here", "There"), _model("There", "Here")]).state_forwards("made", state)
    assert drawn == []
    assert {model.__name__ for model in state.apps.get_models()} == {"Here", "There"}
    assert sorted(drawn) == ["Here", "There"]


@pytest.mark.django_db(transaction=True)
def test_tables_that_point_at_each_other_are_made_and_taken_away() -> None:
    both = CreateModels([_model("Here", "There"), _model("There", "Here")])
    before = ProjectState.from_apps(apps)
    after = before.clone()
    both.state_forwards("made", after)
    with connection.schema_editor() as editor:
        both.database_forwards("made", editor, before, after)
    assert {"made_here", "made_there"} <= set(connection.introspection.table_names())
    with connection.schema_editor() as editor:
        both.database_backwards("made", editor, after, before)
    assert not {"made_here", "made_there"} & set(connection.introspection.table_names())
