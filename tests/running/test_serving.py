"""The real server: every form of request, what it refuses, and a champion that changes under load."""

from __future__ import annotations

import base64
import io
import json
import re
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from mnist_models.data.dataset import DatasetReference, read_split
from mnist_models.foundation.store import Store
from mnist_models.inference.pictures import encode
from running.ports import free_port
from running.serving.limits import Limits
from tests.serving import BACKWARD, FORWARD, FRUIT, draw_fruit, model_server, promote_model

CLIENT = httpx.Client(timeout=60)
KEYS = {"file", "label", "probability", "runner_up"}


@pytest.fixture(scope="module")
def url(champion: Store) -> Iterator[str]:
    port = free_port()
    with model_server(port, "--store", str(champion.root)):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def digits(store: Store, dataset: DatasetReference) -> np.ndarray:
    return np.array(read_split(store, dataset, "test").x)


def predict(url: str, content: bytes, kind: str, **options: Any) -> httpx.Response:
    return CLIENT.post(f"{url}/predict", content=content, headers={"Content-Type": kind}, **options)


def as_npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def as_file(picture: Image.Image, form: str) -> bytes:
    file = io.BytesIO()
    picture.save(file, form)
    return file.getvalue()


def as_jpeg(digit: np.ndarray) -> bytes:
    return as_file(Image.fromarray(255 - digit[..., 0].repeat(10, axis=0).repeat(10, axis=1)), "JPEG")


def labels(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    answers = response.json()["answers"]
    assert all(set(answer) == KEYS for answer in answers)
    return [answer["label"] for answer in answers]


def test_every_form_of_request_gives_the_same_answers(url: str, digits: np.ndarray) -> None:
    some = digits[:40]
    pngs = [encode(digit) for digit in some]
    expected = [labels(predict(url, png, "image/png"))[0] for png in pngs]
    assert len(set(expected)) > 5
    assert labels(predict(url, as_npy(some), "application/x-npy")) == expected
    rows = json.dumps({"images": some[..., 0].tolist()}).encode()
    assert labels(predict(url, rows, "application/json")) == expected
    texts = [base64.b64encode(png).decode() for png in pngs]
    texts[1] = f"data:image/png;base64,{texts[1]}"
    assert labels(predict(url, json.dumps({"images": texts}).encode(), "application/json; charset=utf-8")) == expected
    form = CLIENT.post(f"{url}/predict", files=[("files", (f"{n}.png", png)) for n, png in enumerate(pngs)])
    assert labels(form) == expected
    assert [answer["file"] for answer in form.json()["answers"]] == [f"{number}.png" for number in range(40)]
    photographs = [labels(predict(url, as_jpeg(digit), "image/jpeg"))[0] for digit in some]
    assert np.mean([a == b for a, b in zip(photographs, expected, strict=True)]) > 0.9


def test_details_show_what_the_network_saw(url: str, digits: np.ndarray) -> None:
    [answer] = predict(url, encode(digits[0]), "image/png", params={"detail": "true"}).json()["answers"]
    assert answer["probabilities"][int(answer["label"])] == pytest.approx(answer["probability"], abs=1e-5)
    assert sum(answer["probabilities"]) == pytest.approx(1, abs=1e-4)
    seen = Image.open(io.BytesIO(base64.b64decode(answer["seen"].partition(",")[2])))
    assert np.array_equal(np.asarray(seen), digits[0, ..., 0])


def test_health_metrics_and_openapi(url: str, digits: np.ndarray) -> None:
    health = CLIENT.get(f"{url}/health").json()
    assert health["classes"] == [str(digit) for digit in range(10)]
    assert (health["status"], health["engine"], health["image_shape"], health["pen"]) == (
        "ready",
        "LiteRT",
        [28, 28, 1],
        True,
    )

    def count(name: str) -> float:
        found = re.search(rf"^{re.escape(name)} (\S+)$", CLIENT.get(f"{url}/metrics").text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    answered, asked = count("pictures_total"), 'requests_total{path="/predict",status="200"}'
    before = count(asked)
    predict(url, as_npy(digits[:30]), "application/x-npy")
    assert count("pictures_total") == answered + 30
    assert count(asked) == before + 1
    assert count("pictures_waiting") == 0
    described = CLIENT.get(f"{url}/openapi.json").json()["paths"]["/predict"]["post"]
    assert {"image/png", "image/jpeg", "multipart/form-data", "application/json"} <= set(
        described["requestBody"]["content"]
    )
    assert {"200", "400", "401", "408", "413", "415", "422", "503"} <= set(described["responses"])


def test_the_page_lets_nothing_in_from_elsewhere(url: str) -> None:
    for path in ("/", "/page.css", "/page.js"):
        answer = CLIENT.get(url + path)
        policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert {policy[name] for name in ("script-src", "style-src", "connect-src")} == {"'self'"}
        assert not re.search(r"https?://(?!www\.w3\.org)", answer.text)
    assert CLIENT.get(f"{url}/docs").status_code == 404


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that would unpack to as many pixels."""
    file = io.BytesIO()
    Image.new("1", (width, height)).save(file, "PNG")
    return file.getvalue()


def malformed(digit: np.ndarray) -> list[tuple[str, bytes, set[int]]]:
    png, jpeg = encode(digit), as_jpeg(digit)
    deep = b'{"images": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    blank = encode(np.zeros((28, 28, 1), np.uint8))
    header = b"\x93NUMPY\x01\x00v\x00{'descr': '|u1', 'fortran_order': False, 'shape': (100000, 28000, 28000), }"
    return [
        ("image/png", png[:40], {422}),
        ("image/jpeg", jpeg[: len(jpeg) // 2], {422}),
        ("image/png", b"", {422}),
        ("image/png", bomb(30_000, 30_000), {422}),
        ("image/png", bomb(9_000, 9_000), {422}),
        ("image/png", zlib.compress(bytes(1000)), {422}),
        ("image/png", blank, {422}),
        ("text/plain", b"7", {415}),
        ("", png, {415}),
        ("application/json", b"{", {400}),
        ("application/json", b"[1, 2]", {422}),
        ("application/json", b'{"images": []}', {422}),
        ("application/json", b'{"images": ["?"]}', {422}),
        ("application/json", b'{"images": [[[1, 2], [3]]]}', {422}),
        ("application/json", b'{"images": [[[1, 256]]]}', {422}),
        ("application/json", b'{"images": [[["a"]]]}', {422}),
        ("application/json", b'{"images": [null]}', {422}),
        ("application/json", deep, {400, 422}),
        ("application/json", b'{"images": [' + b"0," * 5_000_000 + b"0]}", {413}),
        ("application/json", json.dumps({"images": ["AA=="] * 1001}).encode(), {413}),
        ("application/x-npy", as_npy(np.zeros((2, 28, 28))), {422}),
        ("application/x-npy", header, {400}),
        ("application/x-npy", as_npy(digit)[:-9], {400}),
        ("multipart/form-data", png, {400}),
        ("multipart/form-data; boundary=x", b"--x\r\nno end", {400}),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\nfield\r\n--x--", {422}),
        ("image/png", bytes(Limits().body + 1), {413}),
    ]


def memory(url: str) -> float:
    """Megabytes that the server holds."""
    found = re.search(r"^process_resident_memory_bytes (\S+)$", CLIENT.get(f"{url}/metrics").text, re.MULTILINE)
    assert found
    return float(found[1]) / 1e6


@pytest.mark.parametrize("rounds", [2, pytest.param(38, marks=pytest.mark.slow)])
def test_malformed_requests_get_a_reason_and_cost_others_nothing(url: str, digits: np.ndarray, rounds: int) -> None:
    png, stop, lost = encode(digits[0]), threading.Event(), []
    expected = labels(predict(url, png, "image/png"))

    def keep_asking() -> None:
        with httpx.Client(timeout=60) as client:
            while not stop.is_set():
                found = client.post(f"{url}/predict", content=png, headers={"Content-Type": "image/png"})
                if found.status_code != 200 or labels(found) != expected:
                    lost.append(found.text)

    asking = threading.Thread(target=keep_asking)
    asking.start()
    try:
        for number in range(rounds):
            if number == 1:
                before = memory(url)  # after each kind came once
            for kind, body, statuses in malformed(digits[0]):
                answer = predict(url, body, kind)
                assert answer.status_code in statuses, (kind, body[:60], answer.status_code, answer.text)
                assert "xpected" in answer.json()["detail"]
    finally:
        stop.set()
        asking.join()
    assert not lost
    assert memory(url) < before + 50


def test_a_body_that_never_ends_is_given_up(champion: Store, url: str) -> None:
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as slow:
        slow.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 100\r\n\r\nhalf")
        slow.settimeout(40)
        assert slow.recv(4096).startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize("changes", [6, pytest.param(100, marks=pytest.mark.slow)])
def test_champions_change_under_load(champion: Store, digits: np.ndarray, tmp_path: Path, changes: int) -> None:
    """No request fails, and each is answered by one model alone, the one that it names."""
    store, port = Store(tmp_path), free_port()
    for name in (FORWARD, BACKWARD):
        store.write(f"{name}.tflite", (champion.root / f"{name}.tflite").read_bytes())
    body, wrong, models, stop = as_npy(digits[:40]), [], set(), threading.Event()
    with model_server(port, "--store", str(store.root), "--threads", "2"):
        waiting = CLIENT.get(f"http://127.0.0.1:{port}/health")
        assert waiting.status_code == 503
        assert "--profile quick" in waiting.json()["detail"]
        assert predict(f"http://127.0.0.1:{port}", body, "application/x-npy").status_code == 503
        promote_model(store, FORWARD, 0)
        while CLIENT.get(f"http://127.0.0.1:{port}/health").status_code != 200:
            time.sleep(0.05)
        answer = predict(f"http://127.0.0.1:{port}", body, "application/x-npy")
        forward = labels(answer)
        expected = {FORWARD: forward, BACKWARD: [str(9 - int(label)) for label in forward]}

        def keep_asking() -> None:
            with httpx.Client(timeout=60) as client:
                while not stop.is_set():
                    content = {"content": body, "headers": {"Content-Type": "application/x-npy"}}
                    found = client.post(f"http://127.0.0.1:{port}/predict", **content)
                    if found.status_code != 200:
                        wrong.append(found.text)
                        continue
                    name = found.json()["model"].split()[0]
                    models.add(found.json()["model"])
                    if labels(found) != expected[name]:
                        wrong.append(name)

        threads = [threading.Thread(target=keep_asking) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for number in range(1, changes + 1):
                promote_model(store, (FORWARD, BACKWARD)[number % 2], number)
                time.sleep(0.5)
            (store.root / "champion" / "current.json").write_text("{}")  # damaged: the one before goes on
            time.sleep(1)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        metrics = CLIENT.get(f"http://127.0.0.1:{port}/metrics").text
    assert not wrong
    assert len(models) > 3
    assert "model_failures_total 1.0" in metrics


def test_others_than_this_machine_need_the_key(champion: Store, digits: np.ndarray) -> None:
    port, key = free_port(), "0123456789abcdef"
    url = f"http://127.0.0.1:{port}"
    with model_server(port, "--store", str(champion.root), "--host", "0.0.0.0", MODEL_SERVER_KEY=key):
        png = encode(digits[0])
        kind = {"Content-Type": "image/png"}
        for headers in ({}, {"Authorization": "Bearer guessed"}, {"Authorization": key}):
            refused = CLIENT.post(f"{url}/predict", content=png, headers=kind | headers)
            assert refused.status_code == 401
            assert "Authorization: Bearer" in refused.json()["detail"]
        assert CLIENT.get(f"{url}/metrics").status_code == 401
        assert CLIENT.get(f"{url}/health").status_code == CLIENT.get(url).status_code == 200
        allowed = CLIENT.post(f"{url}/predict", content=png, headers=kind | {"Authorization": f"Bearer {key}"})
        assert allowed.status_code == 200


def test_a_model_of_other_classes_answers_with_their_names(fruit: Store) -> None:
    """Colour, another shape, words for labels: a champion by its name, in every form of request."""
    port, rng = free_port(), np.random.default_rng(2)
    url = f"http://127.0.0.1:{port}"
    with model_server(port, "--store", str(fruit.root), "--champion", "fruit"):
        health = CLIENT.get(f"{url}/health").json()
        assert (health["classes"], health["image_shape"], health["pen"]) == (list(FRUIT), [32, 40, 3], False)
        names = [name for name in FRUIT for _ in range(8)]
        pictures = [draw_fruit(name, rng) for name in names]
        form = [("files", (f"{number}.jpg", as_file(one, "JPEG"))) for number, one in enumerate(pictures)]
        jpegs = labels(CLIENT.post(f"{url}/predict", files=form))
        assert np.mean([found == name for found, name in zip(jpegs, names, strict=True)]) >= 0.9
        assert [labels(predict(url, as_file(one, "PNG"), "image/png"))[0] for one in pictures[:9]] == jpegs[:9]
        rows = json.dumps({"images": [np.asarray(one).tolist() for one in pictures[:9]]}).encode()
        assert labels(predict(url, rows, "application/json")) == jpegs[:9]
        [found] = predict(url, as_file(pictures[0], "PNG"), "image/png", params={"detail": "1"}).json()["answers"]
        assert len(found["probabilities"]) == 3
        assert Image.open(io.BytesIO(base64.b64decode(found["seen"].partition(",")[2]))).size == (40, 32)


def test_a_champion_that_is_not_there_is_said_with_those_that_are(fruit: Store) -> None:
    port = free_port()
    with model_server(port, "--store", str(fruit.root)):
        refused = CLIENT.get(f"http://127.0.0.1:{port}/health")
    assert refused.status_code == 503
    assert "Received: fruit." in refused.json()["detail"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--host", "0.0.0.0"], "expected MODEL_SERVER_KEY with 16 characters or more"),
        (["--model", "missing.tflite"], "expected a file for --model"),
    ],
)
def test_bad_options_are_refused(run_script: Any, options: list[str], said: str) -> None:
    done = run_script("running/serve.py", *options)
    assert done.returncode == 2
    assert said in done.stderr
