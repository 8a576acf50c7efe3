// Disables the fields of limits that do not apply to what is selected, so that nothing is typed in vain.
(() => {
  "use strict";
  const fields = document.querySelector("form[data-limits]").elements;
  const profiles = JSON.parse(document.getElementById("profile-values")?.textContent ?? "{}");
  const values = Object.keys(Object.values(profiles)[0] ?? {});
  const absolute = ["low_critical_c", "low_warning_c", "high_warning_c", "high_critical_c"];
  const deviations = ["warning_deviation_k", "critical_deviation_k"];

  const show = (profile) => {
    for (const [name, value] of Object.entries(profile)) {
      if (fields[name].type === "checkbox") fields[name].checked = value;
      else fields[name].value = value ?? "";
    }
  };

  const update = () => {
    const profile = profiles[fields.profile?.value];
    if (profile) show(profile);
    for (const name of values) fields[name].disabled = Boolean(profile);
    if (fields.named_sensor) fields.named_sensor.disabled = fields.sensor_policy.value !== "named";
    if (profile) return;
    const isRelative = fields.is_around_set_temperature.checked;
    for (const name of absolute) fields[name].disabled = isRelative;
    for (const name of deviations) fields[name].disabled = !isRelative;
    for (const side of ["", "high_", "low_"]) {
      const hasBudget = fields[`${side}allowed_seconds`].value !== "";
      fields[`${side}allowed_window_seconds`].disabled = !hasBudget;
      if (side) fields[`${side}allowed_c`].disabled = !hasBudget;
    }
    fields.mkt_window_seconds.disabled = fields.mkt_limit_c.value === "";
  };

  for (const event of ["input", "change"]) document.querySelector("form[data-limits]").addEventListener(event, update);
  update();
})();
