"""Checks of chat_page.py about the conversation: what is said arrives, once, in order, and as it was said."""

import re

from playwright.sync_api import expect


def newcomer(run):
    person = run.window()
    first = f"at once {run.mark}"
    # Not waiting for any connection: a newcomer does not either.
    person.page.goto(run.url)
    person.say(first)
    person.online()
    person.shows([first], "a newcomer can write at once")
    name = person.page.locator("#my-name")
    run.tally.holds("a newcomer has a name", lambda: expect(name).to_have_text(re.compile(r"^\S.*$")))
    before = name.text_content()
    person.page.reload()
    person.online()
    run.tally(name.text_content() == before, "the guest's name stays over a reload")
    run.tally.holds(
        "one's own message is one's own after a reload too",
        lambda: expect(person.item(first)).to_have_class(re.compile(r"\bown\b")),
    )


def rooms(run):
    ada, grace = run.window().open(), run.window().open()
    home = ada.page.locator("#room-name").text_content()
    ada.create(run.room)
    run.tally.holds("a new room appears for everybody", lambda: expect(grace.room(run.room)).to_be_visible())
    run.tally.holds(
        "the address names the room", lambda: expect(ada.page).to_have_url(re.compile(f"#/Nest%20{run.mark}$"))
    )
    ada.say(f"first in here {run.mark}")
    grace.go(run.room).shows([f"first in here {run.mark}"], "who comes in sees what was said before")
    grace.go(home)
    ada.say(f"second in here {run.mark}", f"third in here {run.mark}")
    badge = grace.room(run.room).locator(".badge")
    run.tally.holds("what is unread is counted", lambda: expect(badge).to_contain_text("2 unread messages"))
    run.tally.holds(
        "the window's title counts it too", lambda: expect(grace.page).to_have_title(re.compile(r"^\(2\) "))
    )
    run.tally(f"second in here {run.mark}" not in grace.texts(), "a room shows only its own messages")
    grace.go(run.room)
    run.tally.holds("opening the room clears the count", lambda: expect(badge).to_have_count(0))
    run.tally.holds(
        "a line shows where the unread begins",
        lambda: expect(grace.item(f"second in here {run.mark}").locator(".new-line")).to_be_visible(),
    )
    grace.page.go_back()
    run.tally.holds("Back goes back", lambda: expect(grace.page.locator("#room-name")).to_have_text(home))
    grace.go(run.room)
    grace.page.click("#leave")
    run.tally.holds(
        "a room can be left", lambda: expect(grace.page.locator("#rooms").get_by_text(run.room)).to_have_count(0)
    )
    grace.page.goto(f"{run.url}#/Nowhere {run.mark}")
    run.tally.holds(
        "an address of a room there is not says so",
        lambda: expect(grace.page.locator("#toast")).to_contain_text("no such room"),
    )


def renaming(run):
    ada, grace = run.window().open(), run.window().open()
    ada.create(run.room)
    grace.go(run.room)
    ada.rename(f"Ada {run.mark}")
    run.tally.holds(
        "a new name shows at once", lambda: expect(ada.page.locator("#my-name")).to_have_text(f"Ada {run.mark}")
    )
    run.tally.holds(
        "and for the others", lambda: expect(grace.page.locator("#people")).to_contain_text(f"Ada {run.mark}")
    )
    ada.say(f"renamed {run.mark}")
    run.tally.holds(
        "and beside new messages", lambda: expect(grace.item(f"renamed {run.mark}")).to_contain_text(f"Ada {run.mark}")
    )
    ada.page.reload()
    ada.online()
    run.tally.holds(
        "and stays over a reload", lambda: expect(ada.page.locator("#my-name")).to_have_text(f"Ada {run.mark}")
    )
    for bad in ("   ", "x" * 41):
        ada.rename(bad)
        run.tally.holds(
            f"a name of {len(bad)} {'spaces' if bad.isspace() else 'letters'} is refused in words",
            lambda: expect(ada.page.locator("#name-error")).to_contain_text("1 to 40"),
        )
        ada.page.keyboard.press("Escape")
    run.tally(ada.page.locator("#my-name").text_content() == f"Ada {run.mark}", "and changes nothing")


def presence_and_typing(run):
    ada, grace = run.window().name_is(f"Ada {run.mark}").open(), run.window().name_is(f"Grace {run.mark}").open()
    ada.create(run.room)
    grace.go(run.room)
    people = ada.page.locator("#people .person")
    run.tally.holds("everybody in the room is listed", lambda: expect(people).to_have_count(2))
    run.tally.holds("oneself first", lambda: expect(people.first).to_contain_text(f"Ada {run.mark}"))
    grace.page.locator("#message").press_sequentially("I think")
    typing = ada.page.locator("#typing")
    run.tally.holds("who types is shown", lambda: expect(typing).to_have_text(f"Grace {run.mark} is typing…"))
    run.tally(grace.page.locator("#typing").text_content() == "", "not to oneself")
    grace.page.press("#message", "Enter")
    run.tally.holds("no longer when the message is there", lambda: expect(typing).to_have_text(""))
    # Typing is told only every two seconds: one who types on is seen in the end.
    while typing.text_content() == "":
        grace.page.locator("#message").press_sequentially("x", delay=50)
    run.tally.holds("nor when the typing stops", lambda: expect(typing).to_have_text(""))
    grace.close()
    run.windows.remove(grace)
    run.tally.holds("who leaves is listed no more", lambda: expect(people).to_have_count(1))


MARKUP = [
    '<img src=x onerror="window.__ran=1">',
    "<script>window.__ran=1</script></p></li></ol>",
    '"><svg onload=window.__ran=1>',
    "&lt;b&gt; &amp; &#60;i&#62; <!-- -->",
    "javascript:window.__ran=1 data:text/html,<script>window.__ran=1</script>",
]


def plain_text(run):
    ada, grace = run.window().open(), run.window().open()
    room = f"<b onclick=1>{run.mark}</b>"
    ada.rename("<i>Ada</i> &amp;")
    ada.create(room)
    grace.go(room)
    spaced = f"  two  spaces\n\ttab, line\n\n {run.mark} "
    other = f"na\u00efve 你好 \u0645\u0631\u062d\u0628\u0627 \U0001f600 \u200b {run.mark}"
    texts = [f"{text} {run.mark}" for text in MARKUP] + [spaced, other]
    ada.say(*texts)
    for window, who in ((ada, "who wrote it"), (grace, "the other")):
        window.shows(texts, f"text is shown as it was typed to {who}, white space and all")
        made = window.page.eval_on_selector_all(
            "#messages :is(img, script, svg, b, i), .room :is(b, i), #people i", "all => all.map(e => e.outerHTML)"
        )
        ran = window.page.evaluate("() => window.__ran === 1")
        run.tally(not made and not ran, f"nothing in it becomes an element or runs for {who}", f"{made}, ran: {ran}")
    run.tally.holds("nor in a name", lambda: expect(grace.page.locator("#people")).to_contain_text("<i>Ada</i> &amp;"))
    look = f"(see https://example.org/a_(b)?c=1#d, {run.mark})"
    ada.say(look)
    link = grace.page.locator("#messages a")
    run.tally.holds(
        "a link in a text leads there",
        lambda: expect(link).to_have_attribute("href", "https://example.org/a_(b)?c=1#d"),
    )
    rel = link.get_attribute("rel") or ""
    run.tally("noopener" in rel and link.get_attribute("target") == "_blank", "in a window that knows nothing of this")
    grace.shows([look], "and the text with it is unchanged")


def history(run):
    ada = run.window().open().create(run.room)
    texts = run.texts(130)
    ada.say(*texts)
    ada.shows(texts, "130 messages sent in a row arrive in order")
    reader = run.window(viewport={"width": 800, "height": 600}).open(run.room).in_room(run.room)
    run.tally(len(reader.ids()) == 50, "who comes sees the newest 50", str(len(reader.ids())))
    log = reader.page.locator("#log")
    first = reader.ids()[0]
    anchor = reader.page.locator(f"#messages > li[data-id='{first}']")
    log.evaluate("log => { log.scrollTop = 0 }")
    # In the same turn as the answer is shown, or later: the place must be the same as before it.
    place = anchor.bounding_box()["y"]
    expect(reader.page.locator("#messages > li")).not_to_have_count(50)
    moved = abs(anchor.bounding_box()["y"] - place)
    run.tally(moved <= 2, "older messages come in above without moving what one reads", f"moved by {moved} px")
    while reader.page.locator("#beginning[data-kind=older]").count():
        count = len(reader.ids())
        log.evaluate("log => { log.scrollTop = 0 }")
        expect(reader.page.locator("#messages > li")).not_to_have_count(count)
    reader.shows(texts, "scrolling back reaches the first message, each once, in order")
    run.tally.holds(
        "and the beginning of the room", lambda: expect(reader.page.locator("#beginning h2")).to_contain_text(run.room)
    )
    ada.say(f"meanwhile {run.mark}")
    run.tally.holds(
        "new messages do not pull a reader down, but are counted",
        lambda: expect(reader.page.locator("#latest")).to_have_text("1 new message"),
    )
    reader.page.click("#latest")
    run.tally.holds("a button leads to them", lambda: expect(reader.item(f"meanwhile {run.mark}")).to_be_in_viewport())


def search(run):
    ada = run.window().name_is("Ada").open().create(run.room)
    filler = run.texts(160, "filler")
    ada.say(f"the Wagtail {run.mark} nests here", f"百灵鸟{run.mark}在唱歌", *filler)
    ada.shows(filler, "there is something to look through")
    grace = run.window().open()
    home = grace.page.locator("#room-name").text_content()
    grace.page.keyboard.press("Control+k")
    grace.page.fill("#query", f"wagtail {run.mark}")
    results = grace.page.locator(".result")
    run.tally.holds("a word finds its message, in either case", lambda: expect(results).to_have_count(1))
    run.picture(grace, "search")
    for part, what in ((run.room, "room"), ("Ada", "name"), (":", "time")):
        run.tally.holds(
            f"a result shows the {what}", lambda: expect(results.locator(".result-head")).to_contain_text(part)
        )
    run.tally(results.locator("mark").all_text_contents() == ["Wagtail", run.mark], "and marks what was looked for")
    grace.page.keyboard.press("ArrowDown")
    grace.page.keyboard.press("Enter")
    grace.in_room(run.room)
    found = grace.item(f"the Wagtail {run.mark} nests here")
    run.tally.holds("a result leads to its message, however far back", lambda: expect(found).to_be_in_viewport())
    ids = grace.ids()
    run.tally(ids == sorted(set(ids)) and len(ids) == 162, "with all messages since then in between", str(len(ids)))
    for query in (f"百灵鸟{run.mark}", f"灵鸟{run.mark}"):
        grace.page.keyboard.press("Control+k")
        grace.page.fill("#query", query)
        run.tally.holds(
            f"Chinese is found: {query[:-6]}", lambda: expect(results.locator("mark")).to_have_text([query])
        )
        grace.page.keyboard.press("Escape")
    grace.go(home)
    grace.page.click("#open-search")
    grace.page.get_by_label(f"Only in {home}").check(force=True)
    status = grace.page.locator("#search-state")
    run.tally.holds("the search can be kept to one room", lambda: expect(status).to_contain_text("Nothing found"))
    for query in ('"', "* %_ OR (", "'; DROP TABLE messages; --", "\\"):
        grace.page.fill("#query", query)
        run.tally.holds(
            f"{query} is looked for like any text",
            lambda: expect(status).to_have_text(re.compile(r"Nothing found|\d+ messages?$")),
        )


def lost_connection(run):
    ada, grace = run.window().frozen_on_demand().open().create(run.room), run.window().open(run.room).in_room(run.room)
    ada.say(f"before {run.mark}")
    grace.shows([f"before {run.mark}"], "both are connected")
    ada.network.cut()
    banner = ada.page.locator("#banner")
    run.tally.holds(
        "a lost connection is said, with the seconds",
        lambda: expect(banner).to_contain_text(re.compile(r"Reconnecting in \d+ s…")),
    )
    lost = run.texts(3, "offline")
    ada.say(*lost)
    run.picture(ada, "reconnecting")
    run.tally.holds(
        "what is written meanwhile waits at the end",
        lambda: expect(ada.page.locator("#messages > .pending")).to_have_count(3),
    )
    grace.say(*run.texts(3, "missed"))
    ada.page.reload()
    run.tally.holds(
        "and stays over a reload", lambda: expect(ada.page.locator("#messages > .pending")).to_have_count(3)
    )
    expect(banner).to_be_visible()
    ada.freeze()
    ada.network.restore()
    ada.page.click("#retry")
    run.tally(ada.thaws_until(lambda: banner.is_hidden()), "Retry now connects, without waiting for the time to come")
    for window, who in ((ada, "who was away"), (grace, "the other")):
        window.shows([f"before {run.mark}", *run.texts(3, "missed"), *lost], f"then {who} sees all, once, in order")


def lost_acknowledgement(run):
    ada, grace = run.window().open().create(run.room), run.window().open(run.room).in_room(run.room)
    ada.say(f"one {run.mark}")
    grace.shows([f"one {run.mark}"], "both are connected")
    ada.network.deaf = True
    ada.say(f"two {run.mark}", f"three {run.mark}")
    grace.shows(
        [f"one {run.mark}", f"two {run.mark}", f"three {run.mark}"], "messages arrive, their acknowledgements do not"
    )
    grace.say(f"four {run.mark}")
    grace.shows([f"four {run.mark}"], "somebody answers")
    ada.network.cut()
    ada.network.restore()
    texts = [f"{word} {run.mark}" for word in ("one", "two", "three", "four")]
    for window, who in ((ada, "sender"), (grace, "other")):
        window.shows(texts, f"connected again, the {who} sees each once, in order")


def killed_server(run):
    if not run.server:
        print("      (only with --server)")
        return
    ada, grace = run.window().open().create(run.room), run.window().open(run.room).in_room(run.room)
    said = {ada: [], grace: []}
    for round_number in range(3):
        for window, who in ((ada, "ada"), (grace, "grace")):
            texts = run.texts(12, f"{who} {round_number}")
            window.say(*texts[:6])
            said[window] += texts[:6]
        run.server.kill()
        for window, who in ((ada, "ada"), (grace, "grace")):
            texts = run.texts(12, f"{who} {round_number}")
            window.say(*texts[6:])
            said[window] += texts[6:]
        run.server.start()
        for window in (ada, grace):
            window.online()
    last = [f"the end of {who} {run.mark}" for who in ("ada", "grace")]
    ada.say(last[0])
    ada.shows(last[:1], "after three kill -9 the conversation goes on")
    grace.say(last[1])
    seen = []
    for window, who in ((ada, "Ada"), (grace, "Grace")):
        window.shows(last, f"{who} sees its end")
        texts = window.texts()
        lost = [text for all_said in said.values() for text in all_said if text not in texts]
        twice = sorted({text for text in texts if texts.count(text) > 1})
        run.tally(
            not lost and not twice, f"{who} has lost none and has none twice", f"lost {lost[:3]}, twice {twice[:3]}"
        )
        for speaker, name in ((ada, "Ada"), (grace, "Grace")):
            order = [text for text in texts if text in said[speaker]]
            run.tally(order == said[speaker], f"{who} sees {name}'s in the order they were said")
        seen.append(texts)
    run.tally(seen[0] == seen[1], "both see the same conversation")


def refused(run):
    ada, grace = run.window().open().create(run.room), run.window().open(run.room).in_room(run.room)
    # U+0000 ends a text in SQLite, so the server refuses it.
    text = f"zero \x00 {run.mark}"
    ada.say(text, f"and on {run.mark}")
    ada.item(f"and on {run.mark}").locator("xpath=self::*[@data-id]").wait_for()
    run.tally.holds(
        "a refused message stays, and says why",
        lambda: expect(ada.page.locator("#messages > .refused .status")).to_contain_text("Not sent."),
    )
    grace.shows([f"and on {run.mark}"], "the others go on")
    ada.page.get_by_role("button", name="Try again").click()
    run.tally.holds(
        "it can be tried again", lambda: expect(ada.page.locator("#messages > li").last).to_contain_text("zero")
    )
    ada.page.get_by_role("button", name="Discard").click()
    run.tally.holds("or discarded", lambda: expect(ada.page.locator("#messages > li")).to_have_count(1))
