// Goes from the layers of a report down to their files. Everything that came from outside is set as text.
(function () {
  'use strict';
  var layers = JSON.parse(document.getElementById('files-data').textContent);
  var section = document.getElementById('files');
  var select = document.getElementById('files-layer');
  var filter = document.getElementById('files-filter');
  var path = document.getElementById('files-path');
  var map = document.getElementById('files-map');
  var table = document.getElementById('files-table');
  var folder = '';

  function human(bytes) {
    var units = ['B', 'kB', 'MB', 'GB', 'TB'];
    var unit = 0;
    while (bytes >= 1000 && unit < units.length - 1) { bytes /= 1000; ++unit; }
    return (unit === 0 || bytes >= 100 ? bytes.toFixed(0) : bytes.toFixed(bytes >= 10 ? 1 : 2)) + ' ' + units[unit];
  }

  function element(name, text, owner) {
    var made = document.createElement(name);
    made.textContent = text;
    owner.appendChild(made);
    return made;
  }

  function layer() { return layers[select.selectedIndex]; }

  // What stands in the folder, folders summed up, the most bytes first.
  function nodes() {
    var wanted = filter.value.toLowerCase();
    var found = Object.create(null);
    layer().files.forEach(function (file) {
      if (file[0].indexOf(folder) !== 0 || file[0].toLowerCase().indexOf(wanted) < 0) return;
      var rest = file[0].slice(folder.length);
      var slash = rest.indexOf('/');
      var name = slash < 0 ? rest : rest.slice(0, slash + 1);
      found[name] = found[name] || { name: name, bytes: 0, files: 0 };
      found[name].bytes += file[1];
      ++found[name].files;
    });
    var list = Object.keys(found).map(function (name) { return found[name]; });
    if (folder === '' && wanted === '' && layer().more > 0) {
      list.push({ name: layer().more + ' smaller files', bytes: layer().more_bytes, files: layer().more });
    }
    return list.sort(function (a, b) { return b.bytes - a.bytes; });
  }

  function open(node) {
    folder += node.name;
    show();
  }

  function box(node, x, y, width, height) {
    if (width < 2 || height < 2) return;
    var made = element('div', width > 40 && height > 18 ? node.name + '  ' + human(node.bytes) : '', map);
    made.title = '/' + folder + node.name + '\n' + human(node.bytes) + ', files: ' + node.files;
    made.style.cssText = 'left:' + x + 'px;top:' + y + 'px;width:' + (width - 1) + 'px;height:' + (height - 1) + 'px';
    if (node.name.slice(-1) === '/') {
      made.className = 'folder';
      made.onclick = function () { open(node); };
    }
  }

  // Halves the list by bytes and the area with it, along its longer side.
  function place(list, x, y, width, height) {
    if (list.length === 1) return box(list[0], x, y, width, height);
    var total = list.reduce(function (sum, node) { return sum + node.bytes; }, 0);
    var count = 0;
    var bytes = 0;
    do { bytes += list[count++].bytes; } while (count < list.length - 1 && bytes + list[count].bytes / 2 < total / 2);
    var share = bytes / total;
    if (width >= height) {
      place(list.slice(0, count), x, y, width * share, height);
      place(list.slice(count), x + width * share, y, width * (1 - share), height);
    } else {
      place(list.slice(0, count), x, y, width, height * share);
      place(list.slice(count), x, y + height * share, width, height * (1 - share));
    }
  }

  function showPath() {
    path.textContent = '';
    var parts = ('/' + folder).split('/').slice(0, -1);
    parts.forEach(function (part, i) {
      var button = element('button', part + '/', path);
      button.type = 'button';
      button.onclick = function () { folder = parts.slice(1, i + 1).concat('').join('/'); show(); };
    });
  }

  function show() {
    showPath();
    map.textContent = table.textContent = '';
    var list = nodes();
    if (list.length > 0) place(list.slice(0, 300), 0, 0, map.clientWidth, map.clientHeight);
    list.slice(0, 30).forEach(function (node) {
      var row = element('tr', '', table);
      element('td', human(node.bytes), row).className = 'number';
      var name = element('td', node.name, row);
      if (node.name.slice(-1) === '/') {
        name.className = 'folder';
        name.onclick = function () { open(node); };
      }
    });
  }

  function showLayer(number) {
    layers.forEach(function (entry, i) { if (entry.number === number) select.selectedIndex = i; });
    folder = '';
    show();
  }

  layers.forEach(function (entry) { element('option', entry.name, select); });
  section.hidden = false;
  select.onchange = function () { folder = ''; show(); };
  filter.oninput = show;
  window.addEventListener('resize', show);
  Array.prototype.forEach.call(document.querySelectorAll('g[data-layer]'), function (shape) {
    var number = Number(shape.getAttribute('data-layer'));
    if (!layers.some(function (entry) { return entry.number === number; })) return;
    shape.setAttribute('class', 'folder');
    shape.addEventListener('click', function () { showLayer(number); section.scrollIntoView(); });
  });
  show();
})();
