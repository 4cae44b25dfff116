"""Notes can be kept, read and forgotten."""

from fastapi.testclient import TestClient


def test_a_note_is_kept_until_it_is_forgotten(client: TestClient) -> None:
    created = client.post("/notes", json={"text": "Water the plants"})
    assert created.status_code == 201
    note = created.json()
    path = f"/notes/{note['id']}"

    assert client.get(path).json() == note
    assert client.get("/notes").json() == [note]
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404
    assert client.delete(path).status_code == 404


def test_a_note_without_text_is_refused(client: TestClient) -> None:
    assert client.post("/notes", json={"text": ""}).status_code == 422
    assert client.get("/notes").json() == []


def test_a_full_store_says_so(client: TestClient) -> None:
    statuses = [client.post("/notes", json={"text": "again"}).status_code for _ in range(4)]

    assert statuses == [201, 201, 201, 507]
