// The console works without this script. It adds the reader's time zone,
// ages that stay true, "Older" in place, and the keys of the search field.
(() => {
  'use strict';
  const root = document.documentElement;
  const opened = Date.now();
  const now = () => Date.parse(root.dataset.now) + (Date.now() - opened); // the server's clock

  const read = async (url) => {
    const answer = await fetch(url, { headers: { Accept: 'text/html' }, credentials: 'same-origin' });
    if (!answer.ok) throw new Error(String(answer.status));
    return new DOMParser().parseFromString(await answer.text(), 'text/html');
  };

  // The server writes all times, in the zone it finds in this cookie.
  const tellZone = async () => {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (!zone || zone === root.dataset.zone) return;
    const value = 'people_console_zone=' + encodeURIComponent(zone);
    if (document.cookie.split('; ').includes(value)) return; // the server does not know this zone
    const path = new URL(document.querySelector('.brand').href).pathname;
    document.cookie = value + '; Path=' + path + '; Max-Age=31536000; SameSite=Strict';
    if (!document.cookie.split('; ').includes(value)) return; // cookies are blocked
    if (!document.querySelector('main time')) return;
    const page = await read(location.href);
    document.querySelector('main').replaceWith(page.querySelector('main'));
    document.querySelector('.foot').replaceWith(page.querySelector('.foot'));
    root.dataset.zone = page.documentElement.dataset.zone;
  };

  const age = (then) => {
    const minutes = Math.floor((now() - then) / 60000);
    if (minutes < 1) return 'just now';
    return minutes < 60 ? minutes + ' min ago' : Math.floor(minutes / 60) + ' h ago';
  };
  const refreshAges = () => {
    for (const time of document.querySelectorAll('time[data-live]')) {
      time.textContent = age(Date.parse(time.dateTime));
    }
  };

  // append adds the rows of an older page. The day that the page boundary cut
  // in two becomes one again, and nobody whom new activity moved stands twice.
  const append = (into, rows) => {
    for (const row of rows) {
      const here = into.querySelector(':scope > [data-key="' + CSS.escape(row.dataset.key) + '"]');
      if (!here) into.append(row);
      else if (row.matches('.day')) here.append(...row.querySelectorAll(':scope > .session'));
    }
  };

  const showOlder = async (link) => {
    const pager = link.closest('[data-pager]');
    const status = pager.querySelector('[role=status]');
    link.setAttribute('aria-busy', 'true');
    try {
      const page = await read(link.href);
      if (page.querySelector('[data-rows] > *')) document.querySelector('[data-rows] ~ .empty')?.remove();
      append(document.querySelector('[data-rows]'), [...(page.querySelector('[data-rows]')?.children ?? [])]);
      const next = page.querySelector('[data-more]');
      status.textContent = next ? 'Older entries were added.' : 'Older entries were added. This is the end.';
      if (next) {
        link.href = next.href;
        link.removeAttribute('aria-busy');
      } else {
        link.remove();
        status.className = 'note';
        status.tabIndex = -1;
        status.focus(); // the focus would be lost with the link
      }
    } catch {
      location.assign(link.href); // as without this script
    }
  };

  document.addEventListener('click', (event) => {
    const link = event.target.closest('a[data-more]');
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    if (link.getAttribute('aria-busy') !== 'true') showOlder(link);
  });

  document.addEventListener('keydown', (event) => {
    const search = document.getElementById('query');
    if (event.key === 'Escape' && event.target === search && !search.value) search.blur();
    if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest('input, select, textarea, [contenteditable]')) return;
    event.preventDefault();
    search.focus();
    search.select();
  });

  tellZone().catch(() => {}); // the page stays in the zone it has
  setInterval(refreshAges, 15000);
  document.addEventListener('visibilitychange', refreshAges); // a hidden tab's timers sleep
})();
