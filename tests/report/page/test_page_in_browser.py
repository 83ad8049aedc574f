"""The page in a browser: tabs, keys, hovers, themes and a telephone's width, without an error in the console."""

import json

import pytest
from report.page import browser as browsing
from waiting import until

from seco.report.page import Given, build_page

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of selenium's own dependencies


@pytest.fixture(scope="module")
def browser():
    if absent := browsing.missing():
        pytest.skip(f"{' and '.join(absent)} is not installed")
    pytest.importorskip("selenium", reason="selenium is not installed")
    with browsing.chromium() as driver:
        yield driver


@pytest.fixture(scope="module")
def page(trained, tmp_path_factory):
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(build_page(Given((trained / "one", trained / "two"))))
    return file


@pytest.fixture
def opened(browser, page):
    browser.set_window_size(1400, 900)
    browser.get("about:blank")
    browser.get(page.as_uri())
    browser.execute_script("localStorage.clear()")
    browser.refresh()
    yield browser
    assert [entry["message"] for entry in browser.get_log("browser")] == []


def charts(opened, name):
    return opened.find_elements("css selector", f"#{name} .chart svg")


def test_every_tab_shows_its_section_and_its_charts(opened):
    tabs = browsing.tabs(opened)
    assert list(tabs) == ["runs", "training", "data", "views", "neighbours", "embedding", "evaluation", "benchmarks"]
    for name, tab in tabs.items():
        tab.click()
        shown = [panel.get_attribute("id") for panel in opened.find_elements("css selector", "section:not([hidden])")]
        assert shown == [name]
        wanted = len(opened.find_elements("css selector", f"#{name} .chart"))
        until(lambda name=name, wanted=wanted: len(charts(opened, name)) == wanted)
        assert opened.execute_script("return location.hash") == f"#{name}"
        for picture in opened.find_elements("css selector", f"#{name} img"):
            assert int(picture.get_property("naturalWidth")) > 0
            assert picture.get_attribute("alt") is not None


@pytest.mark.parametrize("address", ["", "#training"])
def test_the_page_opens_at_its_top(opened, page, address):
    opened.set_window_size(900, 400)
    opened.get("about:blank")
    opened.get(page.as_uri() + address)
    until(lambda: opened.execute_script("return document.readyState") == "complete")
    until(lambda: charts(opened, "training") or not address)
    assert opened.execute_script("return [document.documentElement.scrollHeight > 2 * innerHeight, scrollY]") == [True, 0]


def test_tabs_are_walked_with_keys(opened):
    from selenium.webdriver.common.keys import Keys

    browsing.tabs(opened)["runs"].send_keys(Keys.ARROW_RIGHT)
    assert opened.switch_to.active_element.get_attribute("id") == "tab-training"
    opened.switch_to.active_element.send_keys(Keys.END)
    assert opened.switch_to.active_element.get_attribute("id") == "tab-benchmarks"
    opened.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    assert opened.switch_to.active_element.get_attribute("id") == "tab-runs"
    selected = [name for name, tab in browsing.tabs(opened).items() if tab.get_attribute("aria-selected") == "true"]
    assert selected == ["runs"]


def test_hovering_a_vector_shows_its_patch(opened):
    from selenium.webdriver.common.action_chains import ActionChains

    browsing.tabs(opened)["embedding"].click()
    until(lambda: charts(opened, "embedding"))
    # The last one is drawn on top of the others.
    dot = until(lambda: opened.find_elements("css selector", "#embedding svg .mark-symbol.role-mark path"))
    count = len(opened.find_elements("css selector", "#embedding figure:first-of-type svg .mark-symbol.role-mark path"))
    ActionChains(opened).move_to_element(dot[count - 1]).perform()
    tip = until(lambda: opened.find_elements("css selector", "#vg-tooltip-element.visible"))[0]
    picture = tip.find_element("css selector", "img")
    assert picture.get_attribute("src").startswith("data:image/webp;base64,")
    until(lambda: int(picture.get_property("naturalWidth")) == 64)
    assert "place" in tip.text
    assert "date" in tip.text


def test_a_theme_is_chosen_and_kept(opened):
    colour = "return getComputedStyle(document.body).backgroundColor"
    light = opened.execute_script(colour)
    opened.find_element("id", "theme").click()
    dark = opened.execute_script(colour)
    assert dark != light
    opened.refresh()
    assert opened.execute_script(colour) == dark


def test_charts_of_hidden_tabs_keep_their_width(opened):
    """Theme and size of the window change while another tab is shown."""
    tabs, width = (
        browsing.tabs(opened),
        "return document.querySelector('#training .chart svg').getBoundingClientRect().width",
    )
    tabs["training"].click()
    until(lambda: charts(opened, "training"))
    before = opened.execute_script(width)
    tabs["data"].click()
    opened.find_element("id", "theme").click()
    opened.set_window_size(1300, 900)
    tabs["training"].click()
    until(lambda: opened.execute_script(width) > before / 2)


@pytest.mark.parametrize("dark", [False, True])
def test_text_has_contrast(opened, dark):
    """At least 4.5 to 1 as WCAG 2.2 asks (1.4.3), for the page's colours of text on those behind it."""
    if dark:
        opened.find_element("id", "theme").click()
    assert opened.execute_script("return document.documentElement.classList.contains('dark')") == dark
    colours = opened.execute_script(
        "const of = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();"
        "return Object.fromEntries(['ink', 'soft', 'paper', 'card', 'accent', 'warn', 'warn-back', 'mark'].map("
        "(name) => [name, of('--' + name)]))"
    )
    pairs = [("ink", "paper"), ("ink", "card"), ("soft", "card"), ("soft", "paper"), ("card", "accent"), ("ink", "mark")]
    for text, behind in [*pairs, ("warn", "warn-back")]:
        assert contrast(colours[text], colours[behind]) >= 4.5, (text, behind)


def contrast(one, other):
    """Of two colours #rrggbb, by WCAG's relative luminance."""
    bright = []
    for colour in (one, other):
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        bright.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(bright) + 0.05) / (min(bright) + 0.05)


def test_a_telephone_scrolls_in_one_direction(opened):
    opened.set_window_size(500, 900)
    for name, tab in browsing.tabs(opened).items():
        tab.click()
        until(lambda name=name: len(charts(opened, name)) == len(opened.find_elements("css selector", f"#{name} .chart")))
        wide, seen = opened.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
        assert wide <= seen, name


def test_only_what_differs_is_shown_on_request(opened):
    rows = "#runs .card:nth-of-type(2) tbody tr"
    all_rows = [row for row in opened.find_elements("css selector", rows) if row.is_displayed()]
    opened.find_element("css selector", "#runs .only-marked").click()
    differing = [row.text.split()[0] for row in opened.find_elements("css selector", rows) if row.is_displayed()]
    assert differing == ["method", "epochs"]
    assert len(all_rows) > 30


def test_a_run_of_200_epochs_opens(browser, run):
    """78,000 lines of metrics are 500 points a line. How long that takes is for the eye; here it opens without an error."""
    line = json.loads((run / "metrics.jsonl").read_text().splitlines()[0])
    many = [json.dumps(line | {"step": 10 * i, "epoch": i // 390}) for i in range(1, 78_001)]
    (run / "metrics.jsonl").write_text("\n".join(many))
    file = run.with_name("long.html")
    file.write_text(build_page(Given((run,))))
    assert file.stat().st_size < 10e6
    browser.get(f"{file.as_uri()}#training")
    until(lambda: len(charts(browser, "training")) >= 6)
    assert [entry["message"] for entry in browser.get_log("browser")] == []


def test_a_line_of_one_point_is_seen(browser, run):
    file = run.with_name("short.html")
    lines = (run / "metrics.jsonl").read_text().splitlines()
    for count, seen in ((1, "1"), (2, "0")):
        (run / "metrics.jsonl").write_text("\n".join(lines[:count]))
        file.write_text(build_page(Given((run,))))
        browser.get("about:blank")
        browser.get(f"{file.as_uri()}#training")
        points = "#training .chart:first-of-type svg .mark-symbol.role-mark path"
        until(lambda points=points: browser.find_elements("css selector", points))
        found = browser.find_elements("css selector", points)
        assert {point.get_attribute("opacity") for point in found} == {seen}
    assert [entry["message"] for entry in browser.get_log("browser")] == []


def test_a_page_that_is_served_takes_up_what_is_new(browser, live, run):
    """Sections without anything new stay the elements that they were."""
    browser.get(f"{live[1]}/#training")
    until(lambda: charts(browser, "training"))
    browser.execute_script("for (const title of document.querySelectorAll('h2')) title.dataset.old = 'yes'")
    with (run / "metrics.jsonl").open("a") as log:
        log.write(json.dumps({"step": 7, "epoch": 2, "loss": 1.0}) + "\n")
    said = "return document.querySelector('header p').textContent"
    until(lambda: browser.execute_script(said) == "step 7, epoch 3 of 2")
    old = "return [...document.querySelectorAll('h2[data-old]')].map((title) => title.parentElement.id)"
    assert {"data", "views", "evaluation"} <= set(browser.execute_script(old))
    until(lambda: "training" not in browser.execute_script(old) and charts(browser, "training"))
    steps = "#training .chart path[aria-label^='optimiser step: 7;']"
    assert until(lambda: browser.find_elements("css selector", steps))
    assert browser.execute_script("return document.querySelector('section:not([hidden])').id") == "training"
    assert [entry["message"] for entry in browser.get_log("browser")] == []


@pytest.mark.parametrize("opened_before", [True, False])
def test_a_page_whose_run_went_away_says_so_and_comes_back(browser, live, run, opened_before):
    away, address = run.with_name("elsewhere"), f"{live[1]}/#runs"
    if opened_before:
        browser.get(address)
    run.rename(away)
    if not opened_before:
        browser.get("about:blank")
        browser.get(address)
    said = "return document.body.textContent"
    until(lambda: "no such folder" in browser.execute_script(said))
    assert len(browsing.tabs(browser)) == 8 * opened_before
    away.rename(run)
    until(lambda: "step 6, epoch 2 of 2" in browser.execute_script(said) and browsing.tabs(browser))
    browser.get_log("browser")  # the bare page has no icon
