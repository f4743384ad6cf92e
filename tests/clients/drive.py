"""Drives the proxy with real on-prem client packages: wabclient 2.3.3 and turn-python 1.0.0.

Usage: drive.py BASE_URL API_KEY. Prints what went wrong and exits with 1, or exits with 0.
"""

import io
import sys

import requests
import turn.request_types
from turn import TurnClient
from turn.exceptions import WhatsAppBadRequestError
from wabclient import Client
from wabclient.commands import MediaCommand

base, key = sys.argv[1], sys.argv[2]
password = "Dr1ve-passw0rd"
to = "16505551234"


def check(what, condition):
    if not condition:
        sys.exit(f"failed: {what}")


# The first login, as the on-prem guides tell people to do it with curl.
first = requests.post(f"{base}/v1/users/login", auth=("admin", "secret"))
check("the default password has to be changed", first.status_code == 401 and first.json()["errors"][0]["code"] == 1024)
first = requests.post(f"{base}/v1/users/login", auth=("admin", "secret"), json={"new_password": password})
check("and can be", first.status_code == 200)

# wabclient: Basic login without a body, a naive date parser, one element of `users`.
client = Client(base)
token, expires = client.config.login("admin", password)
client.connection = client.config.connection
check("a token", token.startswith("eyJ") and expires.utcoffset().total_seconds() == 0)
check("create_user", client.config.create_user("reporter", "Rep0rter!")["users"][0]["username"] == "reporter")
check("set_password", client.config.set_password("reporter", "Rep0rter?")["users"][0]["username"] == "reporter")
for sent in (
    client.send_message(to, "hello"),
    client.send_message(to, "see https://example.com"),
    client.send_hsm(to, "ns", "order_shipped", "en_US", [{"default": "Jane"}]),
    client.connection.send(MediaCommand(to=to, media_id="1037543291543636", message_type="image")),
    client.connection.send(MediaCommand(to=to, media_id="1037543291543636", message_type="document", caption="Bill")),
):
    check(f"an id in {sent}", sent["messages"][0]["id"].startswith("wamid."))
    check(f"the own spelling in {sent}", sent["contacts"] == [{"input": to, "wa_id": to}])
    check(f"no errors in {sent}", "errors" not in sent)
try:
    client.send_message("120363025246125486-1387429853", "hello", recipient_type="group")
    check("groups are refused", False)
except requests.HTTPError as error:
    check("in the dialect", error.response.json()["errors"][0]["code"] == 1002)

# Files: up with wabclient, sent under the id that we gave, and down again in one step.
png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
sent = client.send_image(to, "a.png", io.BytesIO(png))
check("an image that was uploaded", sent["messages"][0]["id"].startswith("wamid."))
media_id = client.connection.upload_media(io.BytesIO(png), "image/png")
length, stream = client.download_media(media_id)
check("the bytes as they were", length == len(png) and stream.read() == png)

# turn-python: a static token.
turn.request_types.TurnRequest.base_url = f"{base}/v1/"
messages = TurnClient(key).messages
check("send_text", messages.send_text(to, "hello").startswith("wamid."))
check("send_templated_message", messages.send_templated_message(to, "ns", "order_shipped", "en", ["Jane"]).startswith("wamid."))
pdf = b"%PDF-1.4 a bill"
check("send_media", messages.send_media(to, pdf, "application/pdf", "document", caption="Bill").startswith("wamid."))
try:
    messages.send_text(to, "")
    check("an empty text is refused", False)
except WhatsAppBadRequestError as error:
    check("with its field", "text.body" in str(error))
