// Reports what this page showed and what was clicked, with the page's own token.
(() => {
  const mark = document.querySelector("template[data-nearside]");
  if (!mark || !navigator.sendBeacon) return;
  const token = mark.dataset.nearside;
  const counts = {};
  const report = (kind, element) => {
    const item = element.dataset.item;
    const place = element.closest("[data-placement]");
    if (!item || !place) return;
    const key = kind + "\n" + item;
    const n = (counts[key] = (counts[key] ?? -1) + 1);
    const event = { kind, item, n, placement: place.dataset.placement };
    navigator.sendBeacon("/_nearside/events", JSON.stringify({ token, events: [event] }));
  };
  document.addEventListener("click", (e) => {
    const element = e.target.closest?.("[data-item]");
    if (element) report("click", element);
  });
  if (!window.IntersectionObserver) return;
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      seen.unobserve(entry.target);
      report("impression", entry.target);
    }
  }, { threshold: 0.5 });
  document.querySelectorAll("[data-placement] [data-item]").forEach((element) => seen.observe(element));
})();
