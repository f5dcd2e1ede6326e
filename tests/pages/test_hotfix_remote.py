"""What changes the remote, seen from the pages: conflicts, refused pushes, trying again, settling by hand."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from releases.operations.models import Operation
from releases.policies.flow import PRESETS, Preset
from releases.policies.models import Settlement, Verdict
from releases.projects.models import Project
from releases.tasks import operation_carry_out_here
from releases.views import links
from tests.factories import make_operation, make_user
from tests.gitrepos import make_repo
from tests.hotfixes.playing import app, look, opened, track
from tests.pages.hotfix_scene import BRANCH, Scene, main_words, make_scene, ok, words_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene(tmp_path: Path, settings: Any) -> Scene:
    settings.MIRROR_DIR = tmp_path / "mirrors"
    settings.EVIDENCE_DIR = tmp_path / "evidence"
    scene = make_scene(tmp_path)
    scene.opened()
    scene.repo.branch(BRANCH, "v1.0.1")
    return scene


def ship(scene: Scene) -> Verdict:
    """Fixed, merged and tagged with git; the verdict for develop."""
    scene.fix()
    scene.repo.merge(BRANCH, "main")
    scene.repo.tag("v1.0.2", "main", message="1.0.2")
    look(scene.project)
    return Verdict.objects.select_related("fix").get(target__branch="develop", fix__hotfixes=scene.hotfix)


def address(scene: Scene, verdict: Verdict, verb: str) -> str:
    return f"/projects/{scene.project.slug}/fixes/{verdict.fix.key}/{verb}/develop/"


def refuse_pushes(scene: Scene) -> None:
    """A remote that protects develop."""
    hook = scene.repo.git_dir / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text('#!/bin/sh\n[ "$1" != refs/heads/develop ] || { echo "develop is protected <b>"; exit 1; }\n')
    hook.chmod(0o755)


def test_a_merge_back_is_confirmed_and_seen_by_everybody(scene: Scene) -> None:
    verdict = ship(scene)
    client = scene.as_(scene.engineer)
    url = address(scene, verdict, "merge-back")
    asked = words_of(client.get(url))
    assert "Merge v1.0.2 back into develop?" in asked
    assert "This makes one merge commit on develop" in asked
    assert "or picks the fix alone where merging would bring anything else along" in asked
    assert not Operation.objects.exists()
    ok(client.post(url))
    other = scene.as_(scene.reviewer)
    assert "shop-engineer asked for it already" in words_of(other.get(url))
    assert "It is being merged back already, asked by shop-engineer." in main_words(other.get(scene.url()))
    ok(other.post(url))
    assert Operation.objects.count() == 1
    scene.work()
    done = main_words(client.get(scene.url()))
    assert "Merge v1.0.2 back into release/1.1" in done
    again = client.post(url)
    assert again.status_code == 409
    assert "develop has TICKET-7" in words_of(again)


def test_a_known_conflict_leads_to_its_files_not_to_a_button(scene: Scene) -> None:
    scene.repo.commit({"app.py": app((3, "otherwise"))}, "Another way", branch="develop")
    verdict = ship(scene)
    client = scene.as_(scene.engineer)
    said = main_words(client.get(scene.url()))
    assert "Resolve locally" in said
    assert "The trial conflicts in 1 file. Resolve it locally." in said
    refused = client.post(address(scene, verdict, "merge-back"))
    assert refused.status_code == 409
    assert "The trial conflicts in 1 file." in words_of(refused)
    evidence = words_of(client.get(f"/projects/shop/fixes/{verdict.fix.key}/in/develop/"))
    assert "“Merge back now” is off: The trial conflicts in 1 file." in evidence


def test_a_conflict_found_by_the_worker_shows_hunks_and_commands(scene: Scene) -> None:
    verdict = ship(scene)
    client = scene.as_(scene.engineer)
    ok(client.post(address(scene, verdict, "merge-back")))
    scene.repo.commit({"app.py": app((3, "otherwise"))}, "Another way", branch="develop")
    scene.work()
    operation = Operation.objects.get()
    assert operation.state == "conflict"
    for url in (scene.url(), f"/projects/shop/operations/{operation.pk}/"):
        said = main_words(client.get(url))
        for part in ("Conflicts", "app.py", "otherwise", "mended", "git push", "Try again"):
            assert part in said, (url, part)


def test_a_protected_branch_says_what_the_remote_said_and_offers_a_branch(scene: Scene) -> None:
    verdict = ship(scene)
    refuse_pushes(scene)
    client = scene.as_(scene.engineer)
    ok(client.post(address(scene, verdict, "merge-back")))
    scene.work()
    operation = Operation.objects.get()
    html = client.get(scene.url()).content.decode()
    assert "develop is protected &lt;b&gt;" in html
    assert "Push to a branch instead" in html
    asked = client.get(address(scene, verdict, "merge-back") + "?aside=1")
    assert "mergeback/TICKET-7-to-develop" in words_of(asked)
    ok(client.post(address(scene, verdict, "merge-back") + "?aside=1"))
    scene.work()
    assert scene.repo.exists("mergeback/TICKET-7-to-develop")
    assert "mended" in scene.repo.read("mergeback/TICKET-7-to-develop", "app.py")
    assert "mended" not in scene.repo.read("develop", "app.py")
    assert Operation.objects.exclude(pk=operation.pk).get().state == "done"
    told = "Waiting for mergeback/TICKET-7-to-develop to be merged into develop in the forge."
    assert told in words_of(client.get(scene.url()))
    scene.repo.delete("mergeback/TICKET-7-to-develop")
    look(scene.project)
    assert told not in words_of(client.get(scene.url()))


def set_aside(scene: Scene, *, others: bool = False) -> Verdict:
    """The fix waits on a branch of its own for develop; `others`: it is still owed elsewhere."""
    verdict = ship(scene)
    ok(scene.as_(scene.engineer).post(f"{address(scene, verdict, 'merge-back')}?aside=1"))
    scene.work()
    if not others:
        scene.repo.delete("release/1.1")
        look(scene.project)
    verdict.refresh_from_db()
    assert verdict.owed
    return verdict


ASIDE = "mergeback/TICKET-7-to-develop"
WAITS = f"Waiting for {ASIDE} to be merged into develop in the forge."


def test_what_waits_in_the_forge_is_named_everywhere_and_not_offered_again(scene: Scene) -> None:
    verdict = set_aside(scene)
    client = scene.as_(scene.engineer)
    slug, key = scene.project.slug, verdict.fix.key
    pages = (scene.url(), f"/projects/{slug}/fixes/{key}/", f"{links.matrix(slug)}?cell={key}:develop")
    for url in pages:
        response = client.get(url)
        assert WAITS in main_words(response), url
        assert "Merge back now" not in main_words(response), url
    matrix = main_words(client.get(links.matrix(slug)))
    assert f"waiting for {ASIDE} to be merged in the forge" in matrix
    overview = client.get(f"/projects/{slug}/")
    assert WAITS in main_words(overview)
    assert "Merge back now" not in main_words(overview)
    assert f"Waiting for {ASIDE} to be merged" in next_title(client.get(scene.url()))
    asked = client.get(address(scene, verdict, "merge-back"))
    assert asked.status_code == 409
    assert f"{WAITS} Delete that branch to do it another way." in words_of(asked)


@pytest.mark.long
def test_what_is_owed_elsewhere_is_offered_beside_what_waits(scene: Scene) -> None:
    set_aside(scene, others=True)
    response = scene.as_(scene.engineer).get(scene.url())
    assert next_title(response) == "Merge v1.0.2 back into release/1.1"
    assert WAITS in main_words(response)


def next_title(response: Any) -> str:
    return str(response.context["next"].title)


@pytest.mark.long
def test_the_forge_is_linked_where_its_address_is_known(scene: Scene) -> None:
    verdict = set_aside(scene)
    Project.objects.filter(pk=scene.project.pk).update(remote_url="git@github.com:org/shop.git")
    html = scene.as_(scene.engineer).get(scene.url()).content.decode()
    link = "https://github.com/org/shop/compare/develop...mergeback%2FTICKET-7-to-develop?expand=1"
    assert f'href="{link}"' in html
    assert link in scene.as_(scene.engineer).get(links.evidence("shop", verdict.fix.key, "develop")).content.decode()


def test_a_branch_that_would_not_do_any_more_is_offered_again(scene: Scene) -> None:
    verdict = set_aside(scene)
    client = scene.as_(scene.engineer)
    scene.repo.commit({"app.py": app((3, "otherwise"))}, "Another way", branch="develop")
    look(scene.project)
    words = main_words(client.get(scene.url()))
    assert WAITS not in words
    assert f"{ASIDE} conflicts with develop by now: merge back again." in words
    scene.repo.set_ref(f"refs/heads/{ASIDE}", scene.repo.sha("develop"))
    look(scene.project)
    words = main_words(client.get(scene.url()))
    assert f"{ASIDE} brings nothing that develop has not" in words
    scene.repo.commit({"app.py": app()}, "Back to what it was", branch="develop")
    look(scene.project)
    ok(client.post(f"{address(scene, verdict, 'merge-back')}?aside=1"))
    scene.work()
    assert Operation.objects.latest("pk").state == "done"
    assert "Back to what it was" in scene.repo.git("log", "--format=%s", ASIDE)
    assert WAITS in main_words(client.get(scene.url()))


def test_a_tag_that_is_no_version_is_refused_beside_its_field(scene: Scene) -> None:
    scene.fix()
    look(scene.project)
    review = {"says": "approve", "head": scene.hotfix.head}
    ok(scene.as_(scene.reviewer).post(scene.act("review"), review))
    client = scene.as_(scene.manager)
    asked = words_of(client.get(scene.act("finish")))
    assert "What is tagged differs from what production runs by this fix alone." in asked
    for tag, why in (("-d", "it begins with a dash"), ("v1..2", "cannot be a tag name"), ("next", "is no version")):
        answer = client.post(scene.act("finish"), {"tag": tag})
        assert answer.status_code == 422, tag
        assert why in words_of(answer)
    assert not Operation.objects.exists()


@pytest.mark.long
def test_a_finish_that_failed_is_over_once_it_is_tagged(scene: Scene) -> None:
    scene.fix()
    look(scene.project)
    make_operation(
        scene.project, "finish", key="finish:v0.0.1", subject="hotfix:TICKET-7", state="failed", error_text="Too low."
    )  # fmt: skip
    client = scene.as_(scene.manager)
    assert "Needs your hand" in words_of(client.get(scene.url()))
    ship(scene)
    assert "Needs your hand" not in words_of(client.get(scene.url()))


def test_what_failed_can_be_tried_again(scene: Scene) -> None:
    verdict = ship(scene)
    refuse_pushes(scene)
    client = scene.as_(scene.engineer)
    ok(client.post(address(scene, verdict, "merge-back")))
    scene.work()
    operation = Operation.objects.get()
    (scene.repo.git_dir / "hooks" / "update").unlink()
    reader = scene.as_(make_user("reader", "viewer", all_projects=True))
    url = f"/projects/shop/operations/{operation.pk}/"
    assert reader.get(url).status_code == 200
    assert reader.post(f"{url}retry/").status_code == 403
    ok(client.post(f"{url}retry/"))
    scene.work()
    assert "mended" in scene.repo.read("develop", "app.py")
    late = client.post(f"{url}retry/")
    assert late.status_code == 409
    assert "This cannot be tried again" in words_of(late)


def test_what_waits_can_be_cancelled(scene: Scene) -> None:
    verdict = ship(scene)
    client = scene.as_(scene.engineer)
    ok(client.post(address(scene, verdict, "merge-back")))
    operation = Operation.objects.get()
    ok(client.post(f"/projects/shop/operations/{operation.pk}/cancel/"))
    assert operation_carry_out_here(operation.pk) is None
    assert "mended" not in scene.repo.read("develop", "app.py")
    assert client.post(f"/projects/shop/operations/{operation.pk}/cancel/").status_code == 409


def test_waiving_needs_the_role_a_reason_and_an_end(scene: Scene) -> None:
    verdict = ship(scene)
    url = address(scene, verdict, "waive")
    assert scene.as_(scene.engineer).get(url).status_code == 403
    client = scene.as_(scene.manager)
    far = timezone.localdate() + timedelta(days=200)
    refused = client.post(url, {"reason": "Not affected", "until": f"{far:%Y-%m-%d}"})
    assert refused.status_code == 422
    assert "Choose a date in the next 90 days." in words_of(refused)
    until = timezone.localdate() + timedelta(days=5)
    ok(client.post(url, {"reason": "develop has no <b>cards</b>", "until": f"{until:%Y-%m-%d}"}))
    said = client.get(f"/projects/shop/fixes/{verdict.fix.key}/in/develop/").content.decode()
    assert "develop has no &lt;b&gt;cards&lt;/b&gt;" in said
    assert "Git alone says Missing" in said
    for label in ("Extend waiver", "End waiver"):
        assert label in said
    soon = words_of(client.get("/projects/shop/"))
    assert "Keep it out of develop for longer?" in soon
    ok(client.post(address(scene, verdict, "withdraw"), {"reason": "It has cards after all."}))
    verdict.refresh_from_db()
    assert (verdict.code, verdict.owed) == ("missing", True)
    assert Settlement.objects.get().ended_at is not None
    again = client.get(address(scene, verdict, "withdraw"))
    assert again.status_code == 409
    assert "Nothing was decided by hand here" in words_of(again)


def test_what_git_proves_cannot_be_confirmed(scene: Scene) -> None:
    verdict = ship(scene)
    answer = scene.as_(scene.manager).post(address(scene, verdict, "confirm"), {"reason": "I looked."})
    assert answer.status_code in (409, 422)
    assert not Settlement.objects.exists()
    assert scene.as_(scene.manager).get(address(scene, verdict, "unknown-verb")).status_code == 404


def test_the_fix_page_offers_the_same(scene: Scene) -> None:
    verdict = ship(scene)
    url = f"/projects/shop/fixes/{verdict.fix.key}/"
    assert "Merge back now" in main_words(scene.as_(scene.engineer).get(url))
    assert "Waive…" in main_words(scene.as_(scene.manager).get(url))
    assert "Merge back now" not in main_words(scene.as_(make_user("reader", "viewer", all_projects=True)).get(url))


def test_the_number_of_queries_is_the_same_for_many_commits_and_targets(
    scene: Scene, django_assert_max_num_queries: Any
) -> None:
    for number in range(6):
        scene.repo.branch(f"release/2.{number}", "develop")
        scene.fix(f"mended {number}")
    ship_everything(scene)
    client = scene.as_(scene.manager)
    client.get(scene.url())
    with django_assert_max_num_queries(34):
        assert client.get(scene.url()).status_code == 200


def ship_everything(scene: Scene) -> None:
    scene.repo.merge(BRANCH, "main")
    scene.repo.tag("v1.0.2", "main", message="1.0.2")
    look(scene.project)


def waits(scene: Scene) -> bool:
    return "Needs your hand" in words_of(scene.as_(scene.engineer).get(scene.url()))


def locked(scene: Scene) -> Path:
    """A remote that takes no push at all."""
    hook = scene.repo.git_dir / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho closed for the night\nexit 1\n")
    hook.chmod(0o755)
    return hook


@pytest.mark.long
def test_a_cut_that_failed_and_was_made_by_hand_needs_nobody_any_more(scene: Scene) -> None:
    scene.repo.delete(BRANCH)
    look(scene.project)
    client = scene.as_(scene.engineer)
    ok(client.post(scene.act("choose-way"), {"way": "cut", "why": "Only this may ship."}))
    locked(scene)
    ok(client.post(scene.act("cut"), {"tag": "v1.0.1"}))
    scene.work()
    assert waits(scene)
    scene.repo.branch(BRANCH, "v1.0.1")
    look(scene.project)
    assert not waits(scene)


@pytest.mark.long
def test_a_clean_up_that_failed_and_was_made_by_hand_needs_nobody_any_more(scene: Scene) -> None:
    ship(scene)
    for target in ("develop", "release/1.1"):
        scene.repo.merge(BRANCH, target)
    look(scene.project)
    locked(scene)
    ok(scene.as_(scene.engineer).post(scene.act("clean-up")))
    scene.work()
    assert waits(scene)
    scene.repo.delete(BRANCH)
    look(scene.project)
    assert not waits(scene)


def test_a_merge_back_that_failed_and_was_made_by_hand_needs_nobody_any_more(scene: Scene) -> None:
    verdict = ship(scene)
    refuse_pushes(scene)
    ok(scene.as_(scene.engineer).post(address(scene, verdict, "merge-back")))
    scene.work()
    assert waits(scene)
    scene.repo.merge(BRANCH, "develop")
    look(scene.project)
    assert not waits(scene)


def test_the_second_to_press_merge_back_everywhere_reads_who_was_first(scene: Scene) -> None:
    ship(scene)
    first, second = scene.as_(scene.engineer), scene.as_(scene.manager)
    ok(first.post(scene.act("merge-back-all")))
    late = second.post(scene.act("merge-back-all"))
    assert late.status_code == 409
    first_was = f"{scene.engineer.username} asked for the same already"
    said = f"{first_was}; the merge-back into develop and release/1.1 is under way."
    assert said in words_of(late)
    assert said in words_of(second.get(scene.act("merge-back-all")))
    assert Operation.objects.count() == 2


@pytest.mark.long
def test_somebody_was_first_for_one_branch_only(scene: Scene) -> None:
    verdict = ship(scene)
    ok(scene.as_(scene.engineer).post(address(scene, verdict, "merge-back")))
    second = scene.as_(scene.manager)
    answered = second.post(scene.act("merge-back-all"), follow=True)
    assert "Merging back into release/1.1." in words_of(answered)
    assert Operation.objects.count() == 2


@pytest.mark.long
def test_names_of_branches_are_mono_in_what_operations_say(scene: Scene) -> None:
    verdict = ship(scene)
    refuse_pushes(scene)
    client = scene.as_(scene.engineer)
    ok(client.post(f"{address(scene, verdict, 'merge-back')}?aside=1"))
    scene.work()
    html = client.get(scene.url()).content.decode()
    assert 'Waiting for <span class="ref">mergeback/TICKET-7-to-develop</span> to be merged' in html
    operation = client.get(f"/projects/shop/operations/{Operation.objects.get().pk}/").content.decode()
    assert '<span class="ref">mergeback/TICKET-7-to-develop</span>' in operation


def test_a_review_says_exactly_what_it_is_about(scene: Scene) -> None:
    head = scene.fix()
    look(scene.project)
    asked = words_of(scene.as_(scene.reviewer).get(scene.act("review")))
    assert f"Branch {BRANCH} Head {head[:12]} [HOTFIX] TICKET-7: mend payments" in asked


def finish_form(scene: Scene) -> Any:
    head = scene.repo.sha(BRANCH)
    ok(scene.as_(scene.reviewer).post(scene.act("review"), {"says": "approve", "text": "", "head": head}))
    response = scene.as_(scene.manager).get(scene.act("finish"))
    return response.context["question"].form


def test_merging_back_with_the_same_push_is_offered_where_it_is_clean_everywhere(scene: Scene) -> None:
    scene.fix()
    look(scene.project)
    form = finish_form(scene)
    assert sorted(form["also"].value()) == ["develop", "release/1.1"]
    manager = scene.as_(scene.manager)
    html = manager.get(scene.act("finish")).content.decode()
    assert html.count(" checked>") == 2
    ok(manager.post(scene.act("finish"), {"tag": "v1.0.2", "message": "", "also": form["also"].value()}))
    scene.work()
    assert Operation.objects.count() == 1
    assert "mended" in scene.repo.read("develop", "app.py")
    assert "mended" in scene.repo.read("release/1.1", "app.py")


@pytest.mark.long
def test_it_is_not_offered_where_one_branch_would_conflict(scene: Scene) -> None:
    scene.repo.commit({"app.py": app((3, "otherwise"))}, "Another way", branch="develop")
    scene.fix()
    look(scene.project)
    assert finish_form(scene)["also"].value() == []


def test_a_version_file_stands_in_nobodys_way(scene: Scene) -> None:
    """Both sides wrote their own version: a merge-back keeps the target's, so nothing has to be resolved by hand."""
    for branch, version in (("develop", "1.1.0.dev"), (BRANCH, "1.0.2")):
        scene.repo.commit(
            {"VERSION": f"{version}\n"}, f"[HOTFIX] TICKET-7: version {version}", branch=branch, author="jo"
        )
    verdict = ship(scene)
    assert verdict.preview["clean"]
    assert verdict.detail == "merges cleanly, VERSION stays"
    ok(scene.as_(scene.engineer).post(scene.act("merge-back-all")))
    scene.work()
    assert "mended" in scene.repo.read("develop", "app.py")
    assert scene.repo.read("develop", "VERSION") == "1.1.0.dev\n"


@pytest.mark.long
def test_a_real_conflict_beside_a_version_file_still_counts(scene: Scene) -> None:
    scene.repo.commit({"VERSION": "1.1.0.dev\n", "app.py": app((3, "otherwise"))}, "Another way", branch="develop")
    scene.repo.commit({"VERSION": "1.0.2\n"}, "[HOTFIX] TICKET-7: version", branch=BRANCH, author="jo")
    verdict = ship(scene)
    assert verdict.preview["conflicts"] == ["app.py"]
    assert verdict.detail == "conflicts in 1 file"


@pytest.mark.long
def test_the_one_push_is_offered_beside_a_version_file_too(scene: Scene) -> None:
    scene.repo.commit({"VERSION": "1.1.0.dev\n"}, "Next version", branch="develop")
    scene.repo.commit({"VERSION": "1.0.2\n"}, "[HOTFIX] TICKET-7: version", branch=BRANCH, author="jo")
    scene.fix()
    look(scene.project)
    assert sorted(finish_form(scene)["also"].value()) == ["develop", "release/1.1"]


@pytest.mark.long
def test_its_own_line_of_production_is_no_branch_that_must_have_it(
    scene: Scene, tmp_path: Path, client: Client
) -> None:
    repo = make_repo(tmp_path, "lines.git")
    repo.commit({"app.py": app()}, "Start")
    for line in ("1.2", "1.3"):
        repo.commit({"new.py": f"new = '{line}'\n"}, f"Version {line}")
        repo.branch(f"stable/{line}", "main")
        repo.tag(f"v{line}.0", f"stable/{line}", message=line)
    project = track(repo, PRESETS[Preset.MAINTENANCE], "lines")
    repo.branch(BRANCH, "v1.3.0")
    repo.commit({"app.py": app((3, "mended"))}, "[HOTFIX] TICKET-7: mend", branch=BRANCH)
    opened(project)
    look(project)
    client.force_login(make_user("reader", "engineer", all_projects=True))
    page = f"/projects/{project.slug}/hotfixes/TICKET-7/"
    assert client.get(page).status_code == 200
    repo.merge(BRANCH, "stable/1.3")
    repo.tag("v1.3.1", "stable/1.3", message="1.3.1")
    look(project)
    told = main_words(client.get(page))
    assert "owed to main" in told
    assert "not judged yet" not in told.lower()
