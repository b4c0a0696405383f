// Fills the reserved placements of a page that does not come through the edge; then n.js reports on them.
(() => {
  const script = document.currentScript;
  const edge = (name) => new URL("/_nearside/" + name, script.src).href;
  const viewed = "nearside-items";
  const cookies = () => {
    const wanted = ["nearside-off", ...(script.dataset.cookies ?? "").split(" ")];
    const pairs = document.cookie.split("; ").map((pair) => pair.split(/=(.*)/s, 2));
    return Object.fromEntries(pairs.filter(([name]) => name && wanted.includes(name)));
  };
  const ask = async (placements) => {
    const page = { url: location.href.split("#")[0], referrer: document.referrer, cookies: cookies() };
    const history = (sessionStorage.getItem(viewed) ?? "").split("\n").filter(Boolean);
    const body = JSON.stringify({ placements, history, page });
    const response = await fetch(edge("decide"), { method: "POST", credentials: "omit", body });
    if (!response.ok) throw response.status;
    const answer = await response.json();
    // Below the tier `session` nothing stays in the browser.
    if (answer.tier !== "session") sessionStorage.removeItem(viewed);
    else if (answer.item) {
      const items = [answer.item, ...history.filter((item) => item !== answer.item)];
      sessionStorage.setItem(viewed, items.slice(0, 20).join("\n"));
    }
    return answer;
  };
  // The page's style sheet hides a reserved placement for a moment; one that came into sight stays as it is.
  const waits = (place) => getComputedStyle(place).visibility === "hidden";
  const fill = (place, html) => {
    const height = place.offsetHeight;
    const own = [...place.childNodes];
    place.innerHTML = html;
    if (place.offsetHeight === height) return true;
    place.replaceChildren(...own); // what does not fit in would move the page
    return false;
  };
  const settle = (place, html) => {
    const filled = html && waits(place) && fill(place, html);
    place.dataset.nearside = filled ? "filled" : "kept";
    place.style.animation = "none";
    return filled;
  };
  const report = (token) => {
    const mark = document.createElement("template");
    mark.dataset.nearside = token;
    const reporter = document.createElement("script");
    reporter.src = edge("n.js");
    document.head.append(mark, reporter);
  };
  const start = async () => {
    const places = [...document.querySelectorAll("[data-placement]")];
    const asked = new Set(places.filter(waits).map((place) => place.dataset.placement));
    if (!asked.size) return;
    let answer = { slots: [] };
    try {
      answer = await ask([...asked].slice(0, 64));
    } catch (error) {
      console.warn("nearside:", error); // the page's own defaults stand
    }
    const shown = Object.fromEntries(answer.slots.map((slot) => [slot.placement, slot.html]));
    const filled = places.filter((place) => settle(place, shown[place.dataset.placement]));
    if (filled.length) report(answer.token);
  };
  if (document.readyState === "loading") addEventListener("DOMContentLoaded", start);
  else start();
})();
