"""Checks of chat_page.py about how the page looks and is used: keyboard, screen reader, phone, colours, language."""

import re

from playwright.sync_api import expect

OVERFLOW = """() => Math.max(...[...document.querySelectorAll('html, main, #log, nav, aside, dialog[open], .results')]
    .filter(e => e.checkVisibility()).map(e => e.scrollWidth - e.clientWidth))"""

FOCUSED = """() => {
    const { id, className } = document.activeElement
    return id || className
}"""

NAMELESS = """all => all.filter(e => e.checkVisibility() && !(e.getAttribute('aria-label') || e.textContent.trim()
    || e.labels?.length || e.getAttribute('aria-labelledby'))).map(e => e.outerHTML.slice(0, 120))"""

SMALL = """all => all.filter(e => e.checkVisibility()).map(e => [e.id, e.getBoundingClientRect()])
    .filter(([, r]) => r.width < 40 || r.height < 40).map(([id]) => id)"""

STOPS = ["open-search", "new-room", "rename", "theme", "language", "help", "open-people", "log", "message"]

# WCAG 2.2 §1.4.3. An element's background is the nearest opaque one, with those that let it shine through on top.
CONTRAST = """all => {
    const numbers = text => text.match(/[\\d.]+/g).map(Number)
    const over = ([r, g, b, a = 1], below) => [r, g, b].map((c, i) => c * a + below[i] * (1 - a))
    const light = rgb => rgb.map(c => c / 255).map(c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0)
    const behind = element => {
        const layers = []
        for (let e = element; e; e = e.parentElement)
            layers.push(numbers(getComputedStyle(e).backgroundColor))
        return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255])
    }
    return all.filter(e => e.checkVisibility() && e.textContent.trim() !== '').map(e => {
        const ground = behind(e), ink = over(numbers(getComputedStyle(e).color), ground)
        const [low, high] = [light(ground), light(ink)].sort((a, b) => a - b)
        return { what: `${e.className || e.id || e.tagName}`, ratio: (high + .05) / (low + .05) }
    })
}"""


def keyboard(run):
    ada = run.window().open().create(run.room)
    page = ada.page
    run.tally.holds("a new room is entered ready to write", lambda: expect(page.locator("#message")).to_be_focused())
    page.keyboard.type(f"one {run.mark}")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("two")
    page.keyboard.press("Enter")
    ada.shows([f"one {run.mark}\ntwo"], "Shift+Enter breaks the line, Enter sends")
    run.tally(page.locator("#message").input_value() == "", "and the field is empty again")
    page.keyboard.press("Enter")
    page.keyboard.type("   ")
    page.keyboard.press("Enter")
    run.tally(len(ada.texts()) == 1, "nothing is not sent")
    page.fill("#message", "x" * 4001)
    page.keyboard.press("Enter")
    run.tally.holds(
        "too much is said, and not sent", lambda: expect(page.locator("#count")).to_have_text("1 character too many")
    )
    run.tally(len(page.locator("#message").input_value()) == 4001, "and not lost")
    page.fill("#message", "")
    page.keyboard.press("Control+k")
    run.tally.holds("Control+K searches", lambda: expect(page.locator("#query")).to_be_focused())
    page.keyboard.type("something")
    page.keyboard.press("Escape")
    run.tally.holds("Escape closes it", lambda: expect(page.locator("#search-dialog")).to_be_hidden())
    run.tally.holds("and gives the focus back", lambda: expect(page.locator("#message")).to_be_focused())
    page.keyboard.press("Control+/")
    run.tally.holds(
        "Control+/ lists the shortcuts", lambda: expect(page.locator("#shortcuts kbd").first).to_be_visible()
    )
    page.keyboard.press("Escape")
    here = page.locator("#room-name").text_content()
    page.keyboard.press("Alt+ArrowUp")
    run.tally.holds("Alt+Up goes to another room", lambda: expect(page.locator("#room-name")).not_to_have_text(here))
    page.keyboard.press("Alt+ArrowDown")
    run.tally.holds("Alt+Down and back", lambda: expect(page.locator("#room-name")).to_have_text(here))
    tab_through(run, page)


def tab_through(run, page):
    """Every control is reached by Tab, in the order of the page, and shows that it has the focus."""
    page.locator(".skip").focus()
    order, outlined = [], True
    for _ in range(60):
        page.keyboard.press("Tab")
        order.append(page.evaluate(FOCUSED))
        if order[-1] == "message":
            break
        style = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
        outlined = outlined and style not in ("none", "")
    reached = [id for id in order if id in STOPS]
    run.tally(reached == STOPS, "Tab goes through the page in its order", str(order))
    run.tally(outlined, "and shows where it is")
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    run.tally(page.evaluate(FOCUSED) == "message", "the first link of the page skips to the message field")


def dialogs(run):
    page = run.window().open().page
    for button, dialog, field in (("#rename", "#name-dialog", "#name"), ("#new-room", "#room-dialog", "#room")):
        page.click(button)
        run.tally.holds(f"{dialog} opens on its field", lambda: expect(page.locator(field)).to_be_focused())
        page.keyboard.press("Escape")
        run.tally.holds("Escape closes it", lambda: expect(page.locator(dialog)).to_be_hidden())
        run.tally.holds("and gives the focus back to its button", lambda: expect(page.locator(button)).to_be_focused())
    page.click("#help")
    page.mouse.click(5, 5)
    run.tally.holds("a click beside a dialog closes it", lambda: expect(page.locator("#help-dialog")).to_be_hidden())


def screen_reader(run):
    ada, grace = run.window().open().create(run.room), run.window().open(run.room).in_room(run.room)
    page = ada.page
    for role in ("navigation", "main", "complementary", "log", "heading"):
        run.tally.holds(f"there is a {role}", lambda: expect(page.get_by_role(role).first).to_be_visible())
    grace.say(f"hello {run.mark}")
    expect(ada.item(f"hello {run.mark}")).to_be_visible()
    log = page.locator("#log")
    run.tally(log.get_attribute("aria-live") == "polite", "a live message is announced")
    grace.say(*run.texts(80))
    grace.shows(run.texts(80), "more is said")
    reader = run.window().open(run.room).in_room(run.room)
    run.tally(reader.page.locator("#log").get_attribute("aria-live") == "off", "a page of history is not")
    for name, places in (("button", "button"), ("field", "input, textarea")):
        nameless = page.eval_on_selector_all(places, NAMELESS)
        run.tally(not nameless, f"every {name} has a name", str(nameless))
    ada.network.cut()
    run.tally.holds(
        "a lost connection is announced",
        lambda: expect(page.get_by_role("status").filter(has_text="Connection lost")).to_have_count(1),
    )
    ada.network.restore()
    run.tally.holds(
        "and that it is back", lambda: expect(page.get_by_role("status").filter(has_text="Connected")).to_have_count(1)
    )


def phone(run):
    ada = run.window().open().create(run.room)
    ada.say("w" * 400 + run.mark, "https://example.org/" + "long/" * 60, *run.texts(30))
    for width, height in ((390, 844), (320, 568)):
        person = run.window(viewport={"width": width, "height": height}, is_mobile=True, has_touch=True)
        person.open(run.room).in_room(run.room)
        one_after_another(run, person, width)
        with_fingers(run, person, width, height)


def fits(run, person, width, what):
    over = person.page.evaluate(OVERFLOW)
    run.tally(over <= 0, f"at {width} px nothing is wider than the screen: {what}", f"{over} px over")
    run.picture(person, f"phone-{width}-{what}")


def one_after_another(run, person, width):
    """What stands side by side on a wide screen comes one after another on a phone."""
    page, sidebar = person.page, person.page.locator("#sidebar")

    def put_away(what):
        run.tally.holds(f"at {width} px {what}", lambda: expect(sidebar).to_be_hidden())

    page.locator("#log").evaluate("log => { log.scrollTop = 0 }")
    fits(run, person, width, "conversation")
    put_away("the rooms are put away")
    page.tap("#open-rooms")
    room = person.room(run.room)
    run.tally.holds(f"at {width} px a button brings them", lambda: expect(room).to_be_in_viewport(ratio=0.99))
    fits(run, person, width, "rooms")
    page.keyboard.press("Escape")
    put_away("Escape puts them away")
    page.tap("#open-rooms")
    room.tap()
    put_away("so does choosing a room")
    page.tap("#open-people")
    people = page.locator("#people .person")
    run.tally.holds(f"at {width} px who is here can be seen", lambda: expect(people.first).to_be_in_viewport())
    fits(run, person, width, "people")
    page.touchscreen.tap(5, 300)
    run.tally.holds(f"at {width} px a tap beside closes it", lambda: expect(people.first).to_be_hidden())
    page.tap("#open-search-bar")
    page.fill("#query", run.mark)
    expect(page.locator(".result").first).to_be_visible()
    fits(run, person, width, "search")
    page.keyboard.press("Escape")


def with_fingers(run, person, width, height):
    """Fingers are thick, and the on-screen keyboard takes half of the height."""
    page = person.page
    small = page.eval_on_selector_all("main button", SMALL)
    run.tally(not small, f"at {width} px every button is large enough for a finger", str(small))
    page.set_viewport_size({"width": width, "height": height // 2})
    field = page.locator("#message")
    run.tally.holds(
        f"at {width} px the field stays above the keyboard", lambda: expect(field).to_be_in_viewport(ratio=0.99)
    )
    person.say(f"from {width} {run.mark}")
    said = person.item(f"from {width} {run.mark}")
    run.tally.holds(f"at {width} px one can write", lambda: expect(said).to_be_in_viewport())
    fits(run, person, width, "keyboard")


def appearance(run):
    paper = "() => getComputedStyle(document.body).backgroundColor"
    light, dark = run.window(color_scheme="light").open(), run.window(color_scheme="dark").open()
    colours = light.page.evaluate(paper), dark.page.evaluate(paper)
    run.tally(colours[0] != colours[1], "dark and light follow the system", str(colours))
    for _ in range(2):
        light.page.click("#theme")
    run.tally(light.page.evaluate(paper) == colours[1], "dark can be chosen")
    light.page.reload()
    run.tally(light.page.evaluate(paper) == colours[1], "and stays over a reload")
    still = run.window(reduced_motion="reduce").open()
    still.page.keyboard.press("Control+k")
    moving = still.page.evaluate("""() => [...document.querySelectorAll('*')].map(e => getComputedStyle(e))
        .some(s => parseFloat(s.animationDuration) > .01 || parseFloat(s.transitionDuration) > .01)""")
    run.tally(not moving, "nothing moves for who wants it still")


def contrast(run):
    grace = run.window().open().create(run.room)
    grace.say(f"hello {run.mark} https://example.org/")
    places = (
        ".text, .text a, time, .author, h1, h2, .room, .room-name, .here, .person, .me-who, .me-state, .search-button, "
        ".day span, .avatar, #banner p, #banner button, kbd, .hint, .button, .chip span, .result-room, mark, "
        ".search-state"
    )
    for scheme in ("light", "dark"):
        ada = run.window(color_scheme=scheme).open(run.room).in_room(run.room)
        ada.say(f"{scheme} {run.mark} https://example.org/")
        ada.shows([f"{scheme} {run.mark} https://example.org/"], f"{scheme}: there is something to look at")
        found = ada.page.eval_on_selector_all(places, CONTRAST)
        ada.page.keyboard.press("Control+k")
        ada.page.fill("#query", run.mark)
        expect(ada.page.locator(".result").first).to_be_visible()
        found += ada.page.eval_on_selector_all(places, CONTRAST)
        ada.page.keyboard.press("Escape")
        ada.page.click("#rename")
        found += ada.page.eval_on_selector_all(places, CONTRAST)
        ada.page.keyboard.press("Escape")
        ada.network.cut()
        expect(ada.page.locator("#banner")).to_be_visible()
        found += ada.page.eval_on_selector_all("#banner p, #banner button", CONTRAST)
        weak = {f"{one['what']} {one['ratio']:.2f}" for one in found if one["ratio"] < 4.5}
        run.tally(
            len(found) > 40 and not weak,
            f"{scheme}: every text stands out by 4.5 to 1",
            f"{len(found)}: {sorted(weak)}",
        )


def languages(run):
    person = run.window(locale="zh-CN").open()
    page = person.page
    run.tally(page.locator("html").get_attribute("lang") == "zh-Hans", "Chinese for a Chinese browser")
    run.tally.holds(
        "in the field",
        lambda: expect(page.locator("#message")).to_have_attribute("placeholder", re.compile("^发消息到")),
    )
    run.tally.holds("on the button", lambda: expect(page.locator("#send")).to_have_attribute("aria-label", "发送"))
    person.network.cut()
    run.tally.holds("in the banner", lambda: expect(page.locator("#banner")).to_contain_text("秒后重新连接"))
    person.network.restore()
    page.click("#language")
    run.tally(page.locator("html").get_attribute("lang") == "en", "English can be chosen")
    run.tally.holds("everywhere", lambda: expect(page.locator("#sidebar")).to_contain_text("Your rooms"))
    page.reload()
    person.online()
    run.tally(page.locator("html").get_attribute("lang") == "en", "and stays over a reload")
    other = run.window(locale="de-DE").open()
    run.tally(other.page.locator("html").get_attribute("lang") == "en", "English for all others")
