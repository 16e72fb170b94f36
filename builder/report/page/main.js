// Puts the parts of the page to work. Without DecompressionStream, or without scripts, the tables that are in the page
// anyway stay.
(() => {
  const begin = async () => {
    if (typeof DecompressionStream === 'undefined') return;
    const data = await page.read();
    const explorer = document.getElementById('explorer');
    if (explorer && data.layers.length > 0) {
      explorer.hidden = false;
      document.getElementById('explorer-static').hidden = true;
      page.explorer = new page.Explorer(new page.Tree(data));
    }
    document.documentElement.dataset.ready = 'yes';
  };
  begin();
})();
