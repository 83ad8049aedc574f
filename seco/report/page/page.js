"use strict";
(() => {
  const root = document.documentElement;
  const tabs = [...document.querySelectorAll("[role=tab]")];
  const panelOf = (tab) => document.getElementById(tab.getAttribute("aria-controls"));
  const panels = tabs.map(panelOf);
  // Of a page that `seco watch` serves: what is in its sections before charts are drawn there.
  const served = new Map(document.body.dataset.stamp ? panels.map((panel) => [panel, panel.innerHTML]) : []);

  // Charts are drawn when their tab is first seen: a long run opens at once.
  const colours = () => {
    const style = getComputedStyle(root), of = (name) => style.getPropertyValue(name).trim();
    const dark = root.classList.contains("dark");
    const text = { labelColor: of("--soft"), titleColor: of("--ink"), titleFontWeight: "normal" };
    return {
      background: null,
      font: "system-ui, sans-serif",
      view: { stroke: null },
      axis: { ...text, domainColor: of("--line"), tickColor: of("--line"), gridColor: of("--line"), gridOpacity: 0.6 },
      legend: text,
      header: text,
      range: {
        category: dark
          ? ["#6cc5e0", "#ffb454", "#63d38b", "#ff8fa3", "#c3a6ff", "#e8e07a", "#8fb3ff", "#ffd1a8", "#9fe3d0", "#d0d0d0", "#7c8a99"]
          : ["#15607a", "#c75b00", "#1b7a3d", "#b3264b", "#6a3fa0", "#7a6a00", "#2d54b8", "#8c5a2b", "#00796b", "#555555", "#9aa5b1"],
      },
    };
  };
  const draw = (panel) => {
    const found = panel.querySelector("script.images");
    const images = found ? JSON.parse(found.textContent) : {};
    const drawings = [];
    for (const element of panel.querySelectorAll(".chart")) {
      const source = element.querySelector("script");
      if (source) element.spec = source.textContent;
      if (element.drawn) continue;
      element.drawn = true;
      const spec = JSON.parse(element.spec);
      for (const row of Object.values(spec.datasets).flat()) if (row.image) row.image = images[row.image];
      const theme = root.classList.contains("dark") ? "dark" : "light";
      element.view?.finalize();
      const options = { actions: false, renderer: "svg", ast: true, config: colours(), tooltip: { theme } };
      drawings.push(window.vegaEmbed(element, spec, options)
        .then((result) => { element.view = result; })
        .catch((error) => { element.textContent = `This chart cannot be drawn: ${error.message}`; }));
    }
    return Promise.all(drawings);
  };

  const show = (tab) => {
    for (const other of tabs) {
      const chosen = other === tab;
      other.setAttribute("aria-selected", String(chosen));
      other.tabIndex = chosen ? 0 : -1;
      panelOf(other).hidden = !chosen;
    }
    tab.scrollIntoView({ block: "nearest", inline: "nearest" });
    window.dispatchEvent(new Event("resize"));  // charts that were hidden when the window changed measure it again
    draw(panelOf(tab));
  };
  const select = (tab) => {
    history.replaceState(null, "", `#${tab.getAttribute("aria-controls")}`);
    show(tab);
  };
  const wanted = () => tabs.find((tab) => `#${tab.getAttribute("aria-controls")}` === location.hash);
  for (const [i, tab] of tabs.entries()) {
    tab.addEventListener("click", () => select(tab));
    tab.addEventListener("keydown", (event) => {
      const to = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: -1 }[event.key];
      if (to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      const next = tabs.at(to % tabs.length);
      select(next);
      next.focus();
    });
  }
  window.addEventListener("hashchange", () => { if (wanted()) select(wanted()); });

  const remembered = (name) => { try { return localStorage.getItem(name); } catch { return null; } };
  const setTheme = (dark) => {
    root.classList.toggle("dark", dark);
    for (const chart of document.querySelectorAll(".chart")) chart.drawn = false;  // a hidden one has no width to be drawn in
    for (const tab of tabs) if (tab.getAttribute("aria-selected") === "true") draw(panelOf(tab));
  };
  const system = matchMedia("(prefers-color-scheme: dark)");
  const chosen = remembered("seco-theme");
  setTheme(chosen ? chosen === "dark" : system.matches);
  system.addEventListener("change", () => { if (!remembered("seco-theme")) setTheme(system.matches); });
  document.getElementById("theme").addEventListener("click", () => {
    setTheme(!root.classList.contains("dark"));
    try { localStorage.setItem("seco-theme", root.classList.contains("dark") ? "dark" : "light"); } catch { /* a page of a disk may keep nothing */ }
  });

  document.addEventListener("change", ({ target }) => {
    if (target.matches(".only-marked")) target.closest(".card").classList.toggle("only", target.checked);
  });

  show(wanted() || tabs[0]);  // naming the first in the address would make the browser scroll to it

  // `seco watch` serves the page with a stamp: when there is something new, sections that changed take the place of the old.
  const text = async (path) => (await fetch(path)).text();
  const renew = async () => {
    if (await text("/stamp") === document.body.dataset.stamp) return;
    const page = new DOMParser().parseFromString(await text("/"), "text/html");
    if (!page.body.dataset.stamp) {  // the runs cannot be read: what is shown of them stays, under what is wrong
      document.querySelector("header p").textContent = page.body.textContent;
      document.body.dataset.stamp = "?";
      return;
    }
    document.title = page.title;
    for (const part of ["header h1", "header p", "footer"]) {
      document.querySelector(part).replaceWith(page.querySelector(part));
    }
    for (const panel of panels) {
      const content = page.getElementById(panel.id).innerHTML;
      if (content === served.get(panel)) continue;
      served.set(panel, content);
      for (const chart of panel.querySelectorAll(".chart")) chart.view?.finalize();
      panel.style.minHeight = `${panel.offsetHeight}px`;  // keeps the place that is looked at until the charts are drawn
      panel.innerHTML = content;
      if (!panel.hidden) await draw(panel);
      panel.style.minHeight = "";
    }
    document.body.dataset.stamp = page.body.dataset.stamp;
  };
  const follow = async () => {
    try { await renew(); } catch { /* the server ended: the page stays as it is */ }
    setTimeout(follow, 5000);
  };
  if (document.body.dataset.stamp) setTimeout(follow, 5000);
})();
