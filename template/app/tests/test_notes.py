"""Notes can be kept, read and forgotten."""

import httpx2
import pytest


def test_a_note_is_kept_until_it_is_forgotten(client: httpx2.Client) -> None:
    created = client.post("/notes", json={"text": "Water the plants"})
    assert created.status_code == 201
    note = created.json()
    path = f"/notes/{note['id']}"

    assert client.get(path).json() == note
    assert client.get("/notes").json() == [note]
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404
    assert client.delete(path).status_code == 404


@pytest.mark.parametrize(
    ("sent", "place"),
    [
        ({"text": ""}, ["body", "text"]),
        ({"text": "x" * 2001}, ["body", "text"]),
        ({"text": 7}, ["body", "text"]),
        ({}, ["body", "text"]),
        ([], ["body"]),
    ],
)
def test_a_note_is_refused_with_the_place_of_what_is_wrong(
    client: httpx2.Client, sent: object, place: list[str]
) -> None:
    refused = client.post("/notes", json=sent)

    assert refused.status_code == 422
    assert [(error["loc"], bool(error["msg"])) for error in refused.json()["detail"]] == [(place, True)]
    assert client.get("/notes").json() == []


@pytest.mark.parametrize("number", ["7", "-1", "9" * 30])
def test_a_note_that_is_not_there_is_not_found(client: httpx2.Client, number: str) -> None:
    for method in ("GET", "DELETE"):
        answer = client.request(method, f"/notes/{number}")

        assert answer.status_code == 404
        assert answer.json() == {"detail": f"There is no note {number}."}


def test_a_note_has_a_number(client: httpx2.Client) -> None:
    refused = client.get("/notes/first")

    assert refused.status_code == 422
    assert refused.json()["detail"][0]["loc"] == ["path", "note_id"]


def test_any_text_comes_back_as_it_was(client: httpx2.Client) -> None:
    text = 'été "quoted" \\ %s {} 🌱\nsecond line'
    note = client.post("/notes", json={"text": text}).json()

    assert client.get(f"/notes/{note['id']}").json() == {"text": text, "id": note["id"]}


def test_a_full_store_says_so(client: httpx2.Client) -> None:
    answers = [client.post("/notes", json={"text": "again"}) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [201, 201, 201, 507]
    assert answers[-1].json() == {"detail": "There is room for 3 notes only."}
