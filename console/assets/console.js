// The console works without this script. It adds the reader's time zone,
// ages that stay true, "Older" in place, the keys of the search field, and calls
// of the live view as they arrive.
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
    if (!document.querySelector('main time, [data-calls]')) return;
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

  // second is a time of day, with the date of another day.
  const second = (at) => {
    const day = (when) => new Date(when).toLocaleDateString('en-GB', { timeZone: root.dataset.zone, day: 'numeric', month: 'short' });
    const time = new Date(at).toLocaleTimeString('en-GB', { timeZone: root.dataset.zone });
    return day(at) === day(now()) ? time : day(at) + ', ' + time;
  };

  // row is a call as the server writes it.
  const row = (call, blank, rows) => {
    const made = blank.content.cloneNode(true).firstElementChild;
    const [time, method, result, why] = made.querySelectorAll('time, th code, .badge, .second');
    const [rule, person] = made.querySelectorAll('a');
    const plain = (word) => word.replaceAll('_', ' ');
    made.dataset.key = call.id;
    time.dateTime = call.time;
    time.title = call.time.replace('T', ' ').replace('Z', ' UTC');
    time.textContent = second(call.time);
    method.textContent = call.method;
    result.classList.add(call.result);
    result.textContent = call.result[0].toUpperCase() + plain(call.result.slice(1));
    why.textContent = [call.code && call.code + ' ' + call.name, call.reason && plain(call.reason)].filter(Boolean).join(', ');
    if (call.rule) {
      rule.href = '#' + call.rule;
      rule.textContent = call.rule;
    } else rule.remove();
    if (call.personId) {
      person.href = rows.dataset.persons + encodeURIComponent(call.personId);
      person.firstElementChild.textContent = call.personId.slice(0, 8);
    } else person.remove();
    return made;
  };

  // follow adds calls to the live view as they are answered.
  const follow = () => {
    const rows = document.querySelector('[data-calls]');
    if (!rows) return;
    const find = (name) => document.querySelector('[data-' + name + ']');
    const [blank, state, news, pause] = ['call', 'state', 'news', 'pause'].map(find);
    const most = Number(rows.dataset.most);
    let after = rows.dataset.after; // what is here, or waits to be
    let waiting = [];
    let arrived = 0; // since the reader was last told
    let paused = false;
    let open = false;
    let frame = 0;
    let lost;
    find('following').hidden = false;

    const show = () => {
      frame = 0;
      if (paused) {
        pause.textContent = waiting.length < most ? 'Resume, ' + waiting.length + ' new' : 'Resume, many new';
        return;
      }
      for (const call of waiting.splice(0)) rows.prepend(row(call, blank, rows));
      while (rows.children.length > most) rows.lastElementChild.remove();
      rows.parentElement.hidden = !rows.firstElementChild;
      if (rows.firstElementChild) document.querySelector('.empty')?.remove();
    };
    const take = (call) => {
      arrived++;
      waiting.push(call);
      if (waiting.length > most) waiting.shift();
      frame ||= requestAnimationFrame(show); // not in a hidden tab
    };
    const say = (text) => {
      clearTimeout(lost);
      lost = undefined;
      if (state.textContent !== text) state.textContent = text;
    };
    const tell = () => say(paused ? 'Paused' : open ? 'Following' : 'Connection lost, trying again');
    const connect = () => {
      const calls = new EventSource(rows.dataset.calls + '?after=' + encodeURIComponent(after));
      calls.onopen = () => {
        open = true;
        tell();
      };
      calls.onmessage = (event) => {
        after = event.lastEventId;
        take(JSON.parse(event.data));
      };
      calls.addEventListener('missed', (event) => say(JSON.parse(event.data).missed + ' calls came too fast to be shown'));
      calls.onerror = () => { // the server ends every stream now and then: a moment is no loss
        open = false;
        lost ??= setTimeout(tell, 4000);
        if (calls.readyState === EventSource.CLOSED) setTimeout(connect, 5000); // refused, which is final for the browser
      };
    };
    pause.addEventListener('click', () => {
      paused = !paused;
      pause.textContent = paused ? 'Resume' : 'Pause';
      tell();
      show();
    });
    setInterval(() => { // not every call is worth interrupting somebody who listens
      if (arrived) news.textContent = arrived === 1 ? 'One new call' : arrived + ' new calls';
      arrived = 0;
    }, 15000);
    connect();
  };

  tellZone().catch(() => {}).then(follow); // without it the page stays in the zone it has
  setInterval(refreshAges, 15000);
  document.addEventListener('visibilitychange', refreshAges); // a hidden tab's timers sleep
})();
