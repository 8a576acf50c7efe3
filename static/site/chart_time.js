// Ticks of a time axis: at whole minutes, hours, days or months in the facility's time zone, at most `most`.
const chartTime = (() => {
  "use strict";
  const MINUTE = 60_000, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
  const STEPS = [1, 2, 5, 10, 15, 30].map((n) => n * MINUTE).concat([1, 2, 3, 6, 12].map((n) => n * HOUR));
  const DAYS = [1, 2, 7, 14];
  const MONTHS = [1, 2, 3, 6, 12, 24, 60];
  // Longer axes have a mark for months at most, labelled with the month.
  const MONTHS_FROM = 150 * DAY;

  const parts = (clock, time) => Object.fromEntries(clock.formatToParts(time).map(({ type, value }) => [type, Number(value)]));

  function clockOf(zone) {
    return new Intl.DateTimeFormat("en-GB", {
      year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: zone,
    });
  }

  // Time zone offsets are multiples of 15 minutes, so finer steps are the same in every zone.
  function withinDays(step, start, end, clock) {
    const grid = Math.min(step, 15 * MINUTE);
    const marks = [];
    for (let time = Math.ceil(start / grid) * grid; time <= end; time += grid) {
      const { hour, minute } = parts(clock, time);
      if ((hour * HOUR + minute * MINUTE) % step === 0) marks.push(time);
    }
    return marks;
  }

  // Days have 23 to 25 hours, so each midnight is corrected by the local time found near it.
  function midnights(start, end, clock) {
    const marks = [];
    for (let time = start - DAY; time <= end + DAY; time += DAY) {
      const { hour, minute } = parts(clock, time);
      let midnight = Math.round(time / MINUTE) * MINUTE - hour * HOUR - minute * MINUTE;
      const off = parts(clock, midnight);
      if (off.hour >= 12) midnight += (24 - off.hour) * HOUR - off.minute * MINUTE;
      else midnight -= off.hour * HOUR + off.minute * MINUTE;
      if (midnight >= start && midnight <= end && midnight !== marks.at(-1)) marks.push(midnight);
    }
    return marks;
  }

  function marks(start, end, zone, most) {
    const clock = clockOf(zone), width = end - start;
    const step = STEPS.find((each) => width / each <= most);
    if (step) return withinDays(step, start, end, clock);
    const days = midnights(start, end, clock);
    const every = width > MONTHS_FROM ? undefined : DAYS.find((each) => width / DAY / each <= most);
    if (every) return days.filter((time) => Math.round(time / DAY) % every === 0);
    const firsts = days.filter((time) => parts(clock, time).day === 1);
    const months = MONTHS.find((each) => firsts.length / each <= most) ?? 120;
    return firsts.filter((time) => { const { year, month } = parts(clock, time); return (year * 12 + month - 1) % months === 0; });
  }

  function labels(start, end, zone) {
    const form = (parts) => new Intl.DateTimeFormat("en-GB", { ...parts, timeZone: zone });
    const [time, day, month] = [
      form({ hour: "2-digit", minute: "2-digit" }), form({ day: "numeric", month: "short" }), form({ month: "short", year: "numeric" }),
    ];
    const clock = clockOf(zone);
    return (mark) => {
      const { hour, minute } = parts(clock, mark);
      if (end - start > MONTHS_FROM) return month.format(mark);
      return hour === 0 && minute === 0 ? day.format(mark) : time.format(mark);
    };
  }

  return { marks, labels };
})();
