// The steps of the run along the time, and the chain of them that the run's length was made of.
(() => {
  const kLane = 22;
  const kTolerance = 0.02;  // seconds between the end of a step and the start of what waited for it

  // Columns to objects.
  function stepsOf(data) {
    const { names, of, place, text, outcome, why, started, ended } = data.steps;
    return text.map((_, i) => ({ targets: of[i].map((number) => names[number]), place: place[i], text: text[i],
      outcome: ['hit', 'built', 'failed'][outcome[i]], why: why[i], started: started[i] / 1000, ended: ended[i] / 1000 }))
      .sort((a, b) => a.started - b.started);
  }

  // For each target the targets whose layers it has.
  function basesOf(tree) {
    const sets = new Map();
    for (const image of tree.images) {
      for (const group of image.groups) {
        for (const profile of group.profiles) {
          sets.set(profile === '' ? image.name : `${image.name}-${profile}`, new Set(group.layers));
        }
      }
    }
    return (above, below) => {
      if (above === below) return true;
      const [a, b] = [sets.get(above), sets.get(below)];
      return a !== undefined && b !== undefined && b.size <= a.size && [...b].every((number) => a.has(number));
    };
  }

  // From the step that ended last back to the one that waited for nothing, as [{step, waited}]: before each step, the
  // one of its own image, or of one below it, that ended last before it began. Where that had ended long before, the step
  // waited for a place to run in: what it follows then is the step of any image that ended just before ('place').
  function criticalPath(steps, isBase, long) {
    const way = [];
    const seen = new Set();
    let at = steps.reduce((last, step) => (last === null || step.ended > last.ended ? step : last), null);
    while (at !== null) {
      seen.add(at);
      let needed = null;
      let any = null;
      for (const step of steps) {
        if (seen.has(step) || step.ended > at.started + kTolerance) continue;
        if (any === null || step.ended > any.ended) any = step;
        if (needed !== null && step.ended <= needed.ended) continue;
        if (step.targets.some((below) => at.targets.some((above) => isBase(above, below)))) needed = step;
      }
      const isLong = needed === null || at.started - needed.ended > long;
      const before = isLong && any !== null && at.started - any.ended <= long ? any : needed;
      way.unshift({ step: at, before, waited: before === needed ? 'needed' : 'place' });
      at = before;
    }
    return way;
  }

  const seconds = (value) => (value >= 60 ? `${Math.floor(value / 60)}m${String(Math.round(value % 60)).padStart(2, '0')}s`
    : `${value.toFixed(value >= 0.1 ? 1 : 3)}s`);

  function tickOf(length) {
    let tick = 0.001;
    for (let i = 0; length / tick > 8; ++i) tick *= i % 3 === 1 ? 2.5 : 2;
    return tick;
  }

  class Timeline {
    constructor(tree) {
      this.steps = stepsOf(tree.data);
      this.end = this.steps.reduce((end, step) => Math.max(end, step.ended), 0.001);
      this.way = criticalPath(this.steps, basesOf(tree), Math.max(kTolerance, this.end / 50));
      this.owner = document.getElementById('timeline');
      this.list();
      let width = 0;
      new ResizeObserver(() => {
        const now = this.owner.parentElement.clientWidth;
        if (now === width) return;
        width = now;
        this.draw(Math.max(320, now));
      }).observe(this.owner.parentElement);
    }

    draw(width) {
      const scale = (width - 2) / this.end;
      const free = [0];
      const critical = new Set(this.way.map((link) => link.step));
      const bars = [];
      // The critical path has the first lane for itself; what is too short to be seen has one of its own, the last.
      const short = this.steps.filter((step) => !critical.has(step) && (step.ended - step.started) * scale < 2);
      for (const step of this.steps) {
        if (short.includes(step)) continue;
        let lane = 0;
        if (!critical.has(step)) {
          lane = free.findIndex((time, i) => i > 0 && time <= step.started);
          if (lane < 0) lane = free.push(0) - 1;
          free[lane] = step.ended + 2 / scale;
        }
        bars.push([step, lane]);
      }
      for (const step of short) bars.push([step, free.length]);
      const lanes = free.length + (short.length > 0 ? 1 : 0);
      const bottom = lanes * kLane;
      const parts = [];
      const tick = tickOf(this.end * Math.max(1, 640 / width));
      for (let i = 0; i * tick <= this.end; ++i) {
        const x = i * tick * scale;
        parts.push(page.element('line', { class: 'grid', x1: x, x2: x, y1: 0, y2: bottom }));
        if (x < width - 40) parts.push(page.element('text', { class: 'axis', x: x + 3, y: bottom + 15 }, `${+(i * tick).toFixed(3)} s`));
      }
      for (const [step, lane] of bars) parts.push(this.bar(step, lane * kLane, scale, critical.has(step)));
      this.owner.replaceChildren(...parts);
      this.owner.setAttribute('viewBox', `0 0 ${width} ${bottom + 20}`);
      this.owner.setAttribute('width', width);
      this.owner.setAttribute('height', bottom + 20);
    }

    bar(step, y, scale, isCritical) {
      const x = step.started * scale;
      const width = Math.max(1.5, (step.ended - step.started) * scale);
      const room = Math.floor((width - 10) / 6.4);
      const text = `${step.targets[0]}  ${step.text}`;
      const label = room >= text.length ? text : room > 6 ? `${text.slice(0, room - 1)}\u2026` : '';
      return page.element('g', {},
        page.element('title', {}, [page.some(step.targets), step.place, step.text, `${seconds(step.ended - step.started)}, ${step.outcome}`, step.why]
          .filter((line) => line !== '').join('\n')),
        page.element('rect', { class: `${step.outcome}${isCritical ? ' critical' : ''}`, x: x + 0.5, y: y + 2, width, height: kLane - 4, rx: 2 }),
        label === '' ? '' : page.element('text', { class: 'label', x: x + 6, y: y + 15 }, label));
    }

    // The critical path as a list: what each took, and what it waited for.
    list() {
      const named = (step) => step.place || step.targets[0];
      const rows = this.way.filter(({ step }) => step.ended - step.started >= this.end / 200).map(({ step, before, waited }) => {
        const wait = before === null ? step.started : step.started - before.ended;
        const after = before === null ? 'the start of the run' : named(before);
        const words = waited === 'place' ? `waited for a place to run in, until ${after} ended`
          : wait > this.end / 50 ? `began ${seconds(wait)} after ${after}` : before === null ? '' : `after ${after}`;
        return page.element('tr', {}, page.element('th', { scope: 'row' },
          page.element('code', { class: 'place' }, named(step)), page.element('code', {}, step.text),
          page.element('span', { class: 'detail' }, [page.some(step.targets), words].filter((part) => part !== '').join(' \u00b7 '))),
        page.element('td', { class: 'number' }, seconds(step.ended - step.started),
          page.element('span', { class: 'detail' }, page.percent(step.ended - step.started, this.end))));
      });
      const most = 12;
      const list = document.getElementById('critical-list');
      list.append(...rows.slice(0, most));
      if (rows.length > most) {
        const more = page.element('tr', {}, page.element('td', { colspan: 2 }, page.element('button', { type: 'button', class: 'more',
          onclick: () => more.replaceWith(...rows.slice(most)) }, `${rows.length - most} more`)));
        list.append(more);
      }
    }
  }

  page.criticalPath = criticalPath;
  page.Timeline = Timeline;
})();
