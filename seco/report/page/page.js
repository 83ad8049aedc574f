"use strict";
(() => {
  const root = document.documentElement;
  const tabs = [...document.querySelectorAll("[role=tab]")];
  const panelOf = (tab) => document.getElementById(tab.getAttribute("aria-controls"));

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
    for (const element of panel.querySelectorAll(".chart")) {
      const source = element.querySelector("script");
      if (source) element.spec = source.textContent;
      if (element.drawn) continue;
      element.drawn = true;
      const spec = JSON.parse(element.spec);
      for (const row of Object.values(spec.datasets).flat()) if (row.image) row.image = images[row.image];
      const theme = root.classList.contains("dark") ? "dark" : "light";
      element.view?.finalize();
      window.vegaEmbed(element, spec, { actions: false, renderer: "svg", ast: true, config: colours(), tooltip: { theme } })
        .then((result) => { element.view = result; })
        .catch((error) => { element.textContent = `This chart cannot be drawn: ${error.message}`; });
    }
  };

  const select = (tab) => {
    for (const other of tabs) {
      const chosen = other === tab;
      other.setAttribute("aria-selected", String(chosen));
      other.tabIndex = chosen ? 0 : -1;
      panelOf(other).hidden = !chosen;
    }
    tab.scrollIntoView({ block: "nearest", inline: "nearest" });
    window.dispatchEvent(new Event("resize"));  // charts that were hidden when the window changed measure it again
    history.replaceState(null, "", `#${tab.getAttribute("aria-controls")}`);
    draw(panelOf(tab));
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

  for (const box of document.querySelectorAll(".only-marked")) {
    box.addEventListener("change", () => box.closest(".card").classList.toggle("only", box.checked));
  }

  select(wanted() || tabs[0]);

  // `seco watch` serves the page with a stamp: when there is something new it is loaded again, on the same tab.
  const stamp = document.body.dataset.stamp;
  if (stamp) setInterval(async () => {
    try {
      const now = await (await fetch("/stamp")).text();
      if (now !== stamp) location.reload();
    } catch { /* the server ended: the page stays as it is */ }
  }, 5000);
})();
