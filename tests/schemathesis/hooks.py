"""What schemathesis has to know about the proxy; see run.py."""

import os

import requests
import schemathesis
from schemathesis.core.failures import ServerError

API = os.environ["PROXY_API"]
KEY = os.environ["PROXY_KEY"]
AUTHORIZATION = {"Authorization": f"Bearer {KEY}"}
LOGIN = (os.environ["PROXY_USER"], os.environ["PROXY_PASSWORD"])

# Nothing listens there, and nothing leaves this machine.
NOWHERE = "https://127.0.0.1:9/nothing"


def links_lead_nowhere(value):
    """The same JSON with every link replaced: the proxy would fetch files and post callbacks there."""
    if isinstance(value, dict):
        return {key: links_lead_nowhere(member) for key, member in value.items()}
    if isinstance(value, list):
        return [links_lead_nowhere(element) for element in value]
    if isinstance(value, str) and "://" in value:
        return NOWHERE
    return value


@schemathesis.hook
def map_body(context, body):
    return links_lead_nowhere(body)


@schemathesis.hook
def before_call(context, case, kwargs):
    case.body = links_lead_nowhere(case.body)
    if case.operation.path.endswith("/users/login"):
        kwargs["auth"] = LOGIN
    elif not any(name.lower() == "authorization" for name in case.headers or {}):
        case.headers.update(AUTHORIZATION)


def call(verb, path, **request):
    """A call that has to succeed."""
    headers = AUTHORIZATION | request.pop("headers", {})
    reply = requests.request(verb, f"{API}/v1/{path}", headers=headers, timeout=30, **request)
    reply.raise_for_status()
    return reply.json()


def post(path, **request):
    return call("POST", path, **request)


def new_pack():
    # A number has room for a hundred, and what is made up fills it.
    for pack in call("GET", "stickerpacks")["stickerpacks"][20:]:
        call("DELETE", f"stickerpacks/{pack['id']}")
    pack = post("stickerpacks", json={"publisher": "p", "name": "n"})["stickerpacks"][0]["id"]
    sticker = post(f"stickerpacks/{pack}/stickers", json={"image_data_id": "1"})["stickers"][0]
    return {"pack-id": pack, "index": sticker["index"]}


def new_media():
    media = post("media", data=b"\x89PNG\r\n\x1a\n", headers={"Content-Type": "image/png"})
    return {"media-id": media["media"][0]["id"]}


EXISTING = {"pack-id": new_pack, "media-id": new_media}


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """Ids that exist, since none that is made up does. The half whose length is odd stays made up."""
    for name, make in EXISTING.items():
        if path_parameters and len(str(path_parameters.get(name, "-"))) % 2 == 0:
            found = make()
            path_parameters |= {key: value for key, value in found.items() if key in path_parameters}
    return path_parameters


def definition(case):
    return case.operation.definition.raw


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """501 is what a refused endpoint says, and nobody else; 500 what on-prem says to a name that is taken."""
    is_refusal = response.status_code == 501 and definition(case).get("x-means") == "refused"
    is_taken = response.status_code == 500 and b"Unable to create user. Already exist?" in response.content
    return not (isinstance(failure, ServerError) and (is_refusal or is_taken))


@schemathesis.check
def on_prem_form(ctx, response, case):
    """Whatever is no success has the on-prem error body, but for the empty 404 that the document names."""
    if 200 <= response.status_code < 300 or case.method.upper() == "HEAD":
        return
    if response.status_code == 404 and not response.content and "404" in definition(case)["responses"]:
        return
    kind = response.headers.get("content-type", [""])[0]
    assert kind == "application/json", f"an error of type {kind!r}"
    body = response.json()
    assert set(body) == {"meta", "errors"}, f"an error with the members {sorted(body)}"
    assert len(body["errors"]) == 1, "not exactly one error"
    (error,) = body["errors"]
    assert set(error) == {"code", "title", "details"}, f"an error with {sorted(error)}"
    assert isinstance(error["code"], int) and error["title"] and error["details"], f"empty words: {error}"
