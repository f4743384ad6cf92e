"""Drives the proxy with real on-prem client packages: wabclient 2.3.3 and turn-python 1.0.0.

Every method of both is called, on a number that nobody has verified yet.

Usage: drive.py BASE_URL API_KEY MOCK_URL CALLBACK_URL CODE. Prints what went wrong and exits with 1, or exits with 0.
"""

import io
import sys

import requests
import turn.request_types
from turn import TurnClient
from turn.exceptions import WhatsAppBadRequestError, WhatsAppContactNotFoundError, WhatsAppUnknownError
from turn.request_types import TurnBusinessManagementClient, TurnBusinessManagementRequest
from wabclient import Client
from wabclient.client import ConfigurationManager, GroupManager
from wabclient.commands import ContactsCommand, MediaCommand, RegistrationCommand
from wabclient.exceptions import AddressException, GroupException

base, key, mock, callback, code = sys.argv[1:]
password = "Dr1ve-passw0rd"
to = "16505551234"
group = "120363025246125486-1387429853"
png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
pdf = b"%PDF-1.4 a bill"
mp3 = b"ID3\x04\0\0\0\0\0\0 a song"


def check(what, condition):
    if not condition:
        sys.exit(f"failed: {what}")


def is_sent(what, sent):
    check(f"{what}: an id in {sent}", sent["messages"][0]["id"].startswith("wamid."))
    check(f"{what}: the own spelling in {sent}", sent["contacts"] == [{"input": to, "wa_id": to}])
    check(f"{what}: no errors in {sent}", "errors" not in sent)


def is_refused(what, status, on_prem, call):
    """wabclient has one error for what a server refuses, that of requests, and people read the answer in it."""
    try:
        call()
    except requests.HTTPError as error:
        [found] = error.response.json()["errors"]
        both = (error.response.status_code, found["code"])
        check(f"{what}: {status} and {on_prem} in {error.response.text}", both == (status, on_prem))
        check(f"{what}: words in {found}", found["title"] and found["details"])
        return
    check(f"{what} is refused", False)


def raises(what, kind, words, call):
    try:
        call()
    except kind as error:
        check(f"{what}: {words!r} in {error!r}", type(error) is kind and words in str(error))
        return
    check(f"{what} raises", False)


def fault(line):
    check("a fault", requests.post(f"{mock}/_mock/faults", data=line).status_code == 200)


def set_up():
    """The first login, as set-up scripts do it, and a second user."""
    session = requests.Session()
    first = ConfigurationManager(base, session=session)
    is_refused("the default password", 401, 1024, lambda: first.login("admin", "secret"))
    is_refused("a wrong one", 401, 1005, lambda: first.login("admin", "wrong"))
    session.auth = ("admin", "secret")
    answer = first.set_initial_password(password)
    check("set_initial_password", len(answer["users"]) == 1 and answer["users"][0]["token"].startswith("eyJ"))
    # One session for all three managers: else only `config` has the token.
    client = Client(base, session=requests.Session())
    token, expires = client.config.login("admin", password)
    check("login", token.startswith("eyJ") and expires.utcoffset().total_seconds() == 0)
    check("create_user", client.config.create_user("reporter", "Rep0rter!")["users"][0]["username"] == "reporter")
    is_refused("the same user again", 500, 1014, lambda: client.config.create_user("reporter", "Rep0rter!"))
    check("set_password", client.config.set_password("reporter", "Rep0rter?")["users"][0]["username"] == "reporter")
    reporter = Client(base, session=requests.Session())
    reporter.config.login("reporter", "Rep0rter?")
    is_refused("settings of somebody without rights", 403, 1005, reporter.config.get_settings)
    check("a second login leaves the first alone", client.healthcheck()["health"])
    return client


def registration(client):
    """From an unverified number to one that can send."""
    config, vname = client.config, "Cm0KKQ=="
    config.setup_shards(f"+{to}", 2)
    check("request_code", config.request_code(f"+{to}", vname)["vname"])
    check("request_code by voice", config.request_code(f"+{to}", vname, method=config.CODE_REQUEST_VOICE)["vname"])
    is_refused("a wrong code", 400, 1009, lambda: config.register("000000"))
    config.register(code)
    is_refused("a registration without PIN", 400, 1008, lambda: config.request_code(f"+{to}", vname))
    # The package's method has no PIN, its command does.
    config.connection.send(RegistrationCommand("1", "6505551234", "sms", vname, pin="123456"))
    check("request_code when there is nothing to do", config.request_code(f"+{to}", vname)["vname"])
    is_refused("create_backup", 501, 1000, lambda: client.create_backup("secret"))
    is_refused("restore_backup", 501, 1000, lambda: client.restore_backup("secret", "AAAA"))


def settings(config):
    check("an update answers", config.set_settings(to, callback, sent_status=True) is not None)
    shown = config.get_settings()
    check(f"get_settings: {shown}", shown["webhooks"]["url"] == callback and shown["on_call_pager"] == to)
    check(f"numbers that are sent as texts: {shown}", str(shown["callback_backoff_delay_ms"]) == "3000")
    is_refused("a URL without TLS", 400, 1009, lambda: config.set_settings(to, "http://8.8.8.8/hook"))


def profile(config):
    config.set_about("We are open")
    check("get_about", config.get_about() == "We are open")
    config.set_business_profile("1 Hacker Way", "We sell", "Automotive", "a@b.example", ["https://a.example/"])
    shown = config.get_business_profile()["profile"]
    check(f"get_business_profile: {shown}", shown["vertical"] == "Automotive" and shown["description"] == "We sell")
    nonsense = ("1 Hacker Way", "We sell", "Nonsense", "a@b.example")
    is_refused("a vertical of nonsense", 400, 1009, lambda: config.set_business_profile(*nonsense))
    config.set_profile_photo(io.BytesIO(png), "me.png")
    check("get_profile_photo", config.get_profile_photo().read() == png)


def groups(manager):
    check("the package's own manager", type(manager) is GroupManager)
    raises("a group without a subject", GroupException, "required", lambda: manager.create(""))
    for what, on_prem, call in (
        ("create", 1000, lambda: manager.create("Friends", io.BytesIO(png), "us.png")),
        ("list", 1000, manager.list),
        ("update_group", 1012, lambda: manager.update_group(group, "Enemies")),
        ("set_profile_photo", 1012, lambda: manager.set_profile_photo(group, io.BytesIO(png), "us.png")),
        ("get_invite_link", 1012, lambda: manager.get_invite_link(group)),
        ("revoke_invite_link", 1012, lambda: manager.revoke_invite_link(group)),
        ("add_admins", 1012, lambda: manager.add_admins(group, [to])),
        ("remove_admins", 1012, lambda: manager.remove_admins(group, [to])),
        ("remove_participants", 1012, lambda: manager.remove_participants(group, [to])),
        ("leave", 1012, lambda: manager.leave(group)),
    ):
        is_refused(what, 501, on_prem, call)


def contacts(client):
    check("get_address", client.get_address("+1 650 555 1234") == to)
    raises("get_address of a word", AddressException, "nobody", lambda: client.get_address("nobody"))
    asked = ["+1 650 555 1234", "nobody", to]
    found = client.check_contacts(asked, wait=True)["contacts"]
    check(f"one result for each, in order: {found}", [one["input"] for one in found] == asked)
    statuses = [ContactsCommand.VALID, ContactsCommand.INVALID, ContactsCommand.VALID]
    check(f"in the package's words: {found}", [one["status"] for one in found] == statuses)
    known = (ContactsCommand.VALID, ContactsCommand.PROCESSING)
    check("without waiting", client.check_contacts([to])["contacts"][0]["status"] in known)


def messages(client):
    params = [{"default": "Jane"}]
    of_cloud = MediaCommand(to=to, media_id="1037543291543636", message_type="image")
    for what, sent in (
        ("send_message", client.send_message(to, "hello")),
        ("a preview", client.send_message(to, "see https://example.com")),
        ("send_message with a check", client.send_message(to, "hello", check_address=True)),
        ("send_hsm", client.send_hsm(to, "ns", "order_shipped", "en_US", params)),
        ("send_hsm as is", client.send_hsm(to, "ns", "order_shipped", "en_US", params, "deterministic", True)),
        ("send_image", client.send_image(to, "a.png", io.BytesIO(png))),
        ("send_image with a caption", client.send_image(to, "a.png", io.BytesIO(png), "Look", check_address=True)),
        ("send_document", client.send_document(to, "bill.pdf", io.BytesIO(pdf), "Bill")),
        ("send_audio", client.send_audio(to, "song.mp3", io.BytesIO(mp3))),
        ("an id of Cloud's", client.connection.send(of_cloud)),
    ):
        is_sent(what, sent)
    is_refused("a group", 400, 1002, lambda: client.send_message(group, "hello", recipient_type=client.GROUP_RECIPIENT))
    fault("131047:once")
    is_refused("a closed window", 400, 470, lambda: client.send_message(to, "hello"))
    fault("130429/429:once")
    is_refused("too many", 429, 1015, lambda: client.send_message(to, "hello"))
    is_refused("no text", 400, 1008, lambda: client.send_message(to, ""))


def files(client):
    [media] = client.upload("/v1/media", io.BytesIO(png), "image/png")["media"]
    for what, (length, stream) in (
        ("download_media", client.download_media(media["id"])),
        ("download", client.download(f"/v1/media/{media['id']}")),
    ):
        check(what, length == len(png) and stream.read() == png)
    missing = "00000000-0000-4000-8000-000000000000"
    # On-prem's 404 of a file has no body, and no errors in it.
    raises("no file", requests.HTTPError, "404", lambda: client.download_media(missing))


def turn_client():
    """A static token; its errors are classes of its own."""
    turn.request_types.TurnRequest.base_url = f"{base}/v1/"
    client = TurnClient(key)
    check("get_whatsapp_id", client.contacts.get_whatsapp_id("+1 650 555 1234") == to)
    raises("no number", WhatsAppContactNotFoundError, "", lambda: client.contacts.get_whatsapp_id("nobody"))
    check("send_text", client.messages.send_text(to, "hello").startswith("wamid."))
    sent = client.messages.send_templated_message(to, "ns", "order_shipped", "en", ["Jane"])
    check("send_templated_message", sent.startswith("wamid."))
    sent = client.messages.send_media(to, pdf, "application/pdf", "document", caption="Bill")
    check("send_media", sent.startswith("wamid."))
    media_id = client.media.upload_media(png, "image/png")
    check("get_media", client.media.get_media(media_id).content == png)
    raises("an empty text", WhatsAppBadRequestError, "text.body", lambda: client.messages.send_text(to, ""))
    raises("a wrong token", WhatsAppUnknownError, "credentials", lambda: TurnClient("x").messages.send_text(to, "hello"))
    raises("a wrong token", WhatsAppUnknownError, "credentials", lambda: TurnClient("x").contacts.get_whatsapp_id(to))
    fault("130429/429:once")
    raises("too many", WhatsAppUnknownError, "130429", lambda: client.messages.send_text(to, "hello"))
    fault("132001:once")
    raises(
        "a template that is not there",
        WhatsAppUnknownError,
        "132001",
        lambda: client.messages.send_templated_message(to, "ns", "nothing", "en"),
    )
    # Templates are asked for at Turn's copy of Graph, which on-prem never had: an error, and in its own form.
    TurnBusinessManagementRequest.base_url = f"{base}/v3.3"
    templates = TurnBusinessManagementClient("102290129340398", key).message_templates
    raises("get_message_templates", Exception, "errors", templates.get_message_templates)
    raises("create_message_template", Exception, "errors", lambda: templates.create_message_template("a", "UTILITY", "b"))


wabclient = set_up()
registration(wabclient)
settings(wabclient.config)
profile(wabclient.config)
groups(wabclient.groups)
contacts(wabclient)
messages(wabclient)
files(wabclient)
check("healthcheck", wabclient.healthcheck()["health"] == {"gateway_status": "connected"})
turn_client()
