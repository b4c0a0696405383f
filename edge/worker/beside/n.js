// Reports what this page showed, what was clicked, and what the site's script tells, with the page's own token.
(() => {
  const to = new URL("/_nearside/events", document.currentScript?.src || location).href;
  // One that kept its default beside the edge (client.js) showed nothing that could be reported.
  const marked = "[data-placement]:not([data-nearside=kept])";
  const told = window.nearside?.q ?? [];
  const token = document.querySelector("template[data-nearside]")?.dataset.nearside;
  if (!token) return void (window.nearside = () => {});
  // Placements that no element holds begin and end at templates.
  const rest = new Set();
  for (const mark of document.querySelectorAll("template[data-nearside-placement]")) {
    let part = mark;
    while ((part = part.nextElementSibling) && !part.matches("template[data-nearside-end]")) {
      if (part.previousElementSibling !== mark) rest.add(part);
      part.dataset.placement = mark.dataset.nearsidePlacement;
    }
  }
  const waiting = [];
  const counts = {};
  let busy = false;
  let timer = 0;
  const take = () => JSON.stringify({ token, events: waiting.splice(0, 32) });
  const post = async (body) => {
    try {
      return (await fetch(to, { method: "POST", body, keepalive: true })).status !== 429;
    } catch {
      return false;
    }
  };
  // One at a time: each answer renews the visitor's event cookie, and two at once would lose one's counts.
  const send = async () => {
    timer = 0;
    if (busy || !waiting.length) return;
    busy = true;
    const body = take();
    if (!(await post(body))) {
      await new Promise((done) => setTimeout(done, 1000));
      await post(body);
    }
    busy = false;
    send();
  };
  const report = (kind, item, placement, value, wait) => {
    const key = kind + "\n" + item;
    const n = (counts[key] = (counts[key] ?? -1) + 1);
    waiting.push({ kind, item, n, placement, value });
    if (!wait) send();
    else timer ||= setTimeout(send, wait);
  };
  const show = (kind, element, wait) => {
    const place = element.closest(marked);
    if (place) report(kind, element.dataset.item ?? "", place.dataset.placement, 0, wait);
  };
  window.nearside = (kind, { item = "", value = 0 } = {}) => report(String(kind), String(item), "", +value || 0, 0);
  told.forEach((call) => window.nearside(...call));
  // How long the page was looked at, and how far down in percent: told once, when it is first left.
  let since = document.hidden ? -1 : performance.now();
  let depth = 0;
  let left = false;
  const look = () => {
    const part = (scrollY + innerHeight) / document.documentElement.scrollHeight;
    depth = Math.max(depth, Math.min(100, Math.round(100 * part) || 0)); // a frame without a height has no part
  };
  look();
  addEventListener("scroll", look, { passive: true });
  const tell = (kind, value) => waiting.push({ kind, item: "", n: 0, placement: "", value });
  const leave = () => {
    if (since >= 0 && !left) {
      left = true;
      tell("dwell", Math.min(1800, Math.round((performance.now() - since) / 100) / 10));
      tell("scroll", depth);
    }
    while (waiting.length) navigator.sendBeacon(to, take());
  };
  addEventListener("pagehide", leave);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) leave();
    else if (since < 0) since = performance.now();
  });
  const whole = (place) => !place.querySelector("[data-item]");
  document.addEventListener("click", (event) => {
    const target = event.target;
    const place = target.closest?.("a, button")?.closest(marked);
    const element = target.closest?.("[data-item]") ?? (place && whole(place) && place);
    if (element) show("click", element, 0);
  });
  if (!window.IntersectionObserver) return;
  const seen = new IntersectionObserver(
    (entries) => {
      for (const { target, intersectionRatio, intersectionRect } of entries) {
        // Half of it, or half of the window full of it.
        if (intersectionRatio < 0.5 && intersectionRect.height < innerHeight / 2) continue;
        seen.unobserve(target);
        show("impression", target, 200);
      }
    },
    { threshold: [0.05, 0.1, 0.2, 0.3, 0.5] },
  );
  for (const place of document.querySelectorAll(marked)) {
    const items = place.querySelectorAll("[data-item]");
    if (rest.has(place) && !place.dataset.item && !items.length) continue;
    (items.length ? items : [place]).forEach((element) => seen.observe(element));
  }
})();
