// The page's data, and words for it. What came from outside is only ever set as text, never as markup.
const page = {};

(() => {
  // Bytes as the rest of the report has them: three digits, units of 1000.
  page.human = (bytes) => {
    const units = ['B', 'kB', 'MB', 'GB', 'TB'];
    let unit = 0;
    while (bytes >= 999.5 && unit < units.length - 1) { bytes /= 1000; ++unit; }
    const digits = unit === 0 || bytes >= 99.95 ? 0 : bytes >= 9.995 ? 1 : 2;
    return `${bytes.toFixed(digits)} ${units[unit]}`;
  };

  page.percent = (part, whole) => (whole > 0 ? `${(100 * part / whole).toFixed(1)} %` : '');
  page.count = (number, noun, nouns = `${noun}s`) => `${number.toLocaleString('en')} ${number === 1 ? noun : nouns}`;
  page.some = (names) => (names.length <= 3 ? names.join(', ')
    : `${names.slice(0, 2).join(', ')} and ${names.length - 2} more`);

  // An element with attributes and children; strings become text.
  page.element = (name, attributes = {}, ...children) => {
    const made = name === 'svg' || page.svgNames.has(name)
      ? document.createElementNS('http://www.w3.org/2000/svg', name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key.startsWith('on')) made.addEventListener(key.slice(2), value);
      else if (value !== null && value !== false) made.setAttribute(key, value === true ? '' : value);
    }
    made.append(...children.filter((child) => child !== null && child !== ''));
    return made;
  };
  page.svgNames = new Set(['g', 'rect', 'text', 'title', 'line', 'path', 'polyline', 'circle', 'pattern', 'defs']);

  page.read = async () => {
    const text = document.getElementById('page-data').textContent;
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'));
    return JSON.parse(await new Response(stream).text());
  };
})();
