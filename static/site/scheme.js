// Sets Bootstrap's colour mode before the first paint: the theme chosen for this device in the settings, otherwise the
// device's preference. Prints are light.
(() => {
  "use strict";
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const [, chosen] = /(?:^|; )theme=(light|dark)(?:;|$)/.exec(document.cookie) ?? [];
    document.documentElement.dataset.bsTheme = chosen ?? (dark.matches ? "dark" : "light");
  };
  const announce = () => document.dispatchEvent(new CustomEvent("scheme-changed"));
  apply();
  dark.addEventListener("change", () => {
    apply();
    announce();
  });
  // Paper is white.
  window.addEventListener("beforeprint", () => {
    document.documentElement.dataset.bsTheme = "light";
    announce();
  });
  window.addEventListener("afterprint", () => {
    apply();
    announce();
  });
})();
