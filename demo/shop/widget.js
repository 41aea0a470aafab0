// A local stand-in for the Live Chat widget, so that the demonstration shop
// works without an account and without leaving this machine. It has the two
// faces that a page sees: the function liveChat(command, argument, callback)
// and the class LiveChatSDK. Nobody is at the other end; an echo answers.
//
// Its panel is ordinary DOM, where the genuine widget has a frame of another
// origin. Typing into the panel therefore calls `chat` below directly and
// never the two public faces, and is reported with `message` events on window.
(() => {
  'use strict';

  const STORAGE = 'lc-stand-in';
  const MAX_TEXT = 4096;
  const ECHO_DELAY_MS = 600;
  const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

  // ---- state: survives a change of the page, ends with the tab ----

  const empty = () => ({ open: false, user: null, threads: [], active: null });
  let state = load();

  function load() {
    try {
      return { ...empty(), ...JSON.parse(sessionStorage.getItem(STORAGE)) };
    } catch {
      return empty(); // storage blocked, or not ours
    }
  }

  function save() {
    try {
      sessionStorage.setItem(STORAGE, JSON.stringify(state));
    } catch {
      // The chat then ends with the page.
    }
    panel?.render();
  }

  // ---- errors, the same shape on both faces ----

  class LiveChatError extends Error {
    constructor(code, name, message) {
      super(message);
      this.shape = { code, name, message, origin: 'Livechat Widget', platform: 'fe-snippet' };
    }
  }

  const shapeOf = (error) =>
    error instanceof LiveChatError
      ? error.shape
      : { code: 1000, name: 'UnexpectedError', message: String(error), origin: 'Livechat Widget', platform: 'fe-snippet' };

  // ---- the chat itself ----

  const listeners = new Map();
  let widgetId = '';
  let panel = null;
  let initialised;
  const ready = new Promise((resolve) => { initialised = resolve; });

  const chat = {
    init(argument) {
      const id = typeof argument === 'string' ? argument : argument?.widgetId;
      if (!UUID.test(id ?? '')) throw new LiveChatError(1001, 'WidgetNotFoundError', 'Chat widget not found');
      widgetId = id;
      if (!panel) {
        panel = buildPanel();
        panel.render();
        initialised();
      }
      return { widgetId };
    },

    // May stand before init, as it often does in pages.
    async auth(token) {
      await ready;
      const claims = readToken(token);
      if (state.user?.sub !== claims.sub) {
        state.user = { stp: claims.stp, sub: claims.sub };
        save();
      }
      return { stp: claims.stp, sub: claims.sub };
    },

    // The next person at this browser must not see the previous one's chat.
    logout() {
      required();
      state = { ...empty(), open: state.open };
      save();
      report({ destination: 'viewChange', view: 'THREAD_LIST' });
      return null;
    },

    show() {
      required();
      state.open = true;
      save();
      report({ destination: 'viewChange', view: state.active ? 'THREAD' : 'THREAD_LIST' });
      return null;
    },

    hide() {
      required();
      state.open = false;
      save();
      return null;
    },

    createThread(payload) {
      required();
      const text = textOf(payload);
      const thread = { id: crypto.randomUUID(), conversationId: crypto.randomUUID(), status: 'OPEN', messages: [] };
      state.threads.push(thread);
      state.active = thread.id;
      add(thread, 'user', text);
      report({ destination: 'threadCreated', threadId: thread.id });
      report({ destination: 'viewChange', view: 'THREAD' });
      return describe(thread);
    },

    sendMessage(payload) {
      required();
      const thread = active();
      if (!thread) {
        return chat.createThread(payload);
      }
      add(thread, 'user', textOf(payload));
      return describe(thread);
    },

    getThreads() {
      required();
      return state.threads.map(describe);
    },

    getActiveThread() {
      required();
      const thread = active();
      return thread ? describe(thread) : null;
    },

    showThread(id) {
      required();
      if (!state.threads.some((thread) => thread.id === id)) {
        throw new LiveChatError(1004, 'ThreadNotFoundError', 'There is no such thread');
      }
      state.active = id;
      return chat.show();
    },

    openNewThread() {
      required();
      state.active = null;
      return chat.show();
    },
  };

  function add(thread, from, text) {
    const message = { id: crypto.randomUUID(), type: 'BASIC', from, message: text, at: new Date().toISOString() };
    thread.messages.push(message);
    save();
    if (from === 'user') {
      report({ destination: 'messageSent', threadId: thread.id, messageId: message.id });
      setTimeout(() => answer(thread, text), ECHO_DELAY_MS);
      return;
    }
    for (const handler of listeners.get('messageReceived') ?? []) handler({ threadId: thread.id, ...message });
  }

  function answer(thread, text) {
    if (!state.threads.includes(thread)) return; // logged out meanwhile
    add(thread, 'echo', `You wrote: “${text}”. This is an automatic echo, nobody reads it.`);
  }

  function required() {
    if (!panel) throw new LiveChatError(4001, 'InitRequiredError', 'Live Chat is not initialized');
  }

  const active = () => state.threads.find((thread) => thread.id === state.active);
  const describe = ({ id, conversationId, status }) => ({ id, conversationId, status });

  function textOf(payload) {
    const text = typeof payload === 'string' ? payload : payload?.message;
    if (typeof text !== 'string' || !text.trim()) throw new LiveChatError(1002, 'InvalidPayloadError', 'A message needs text');
    if (text.length > MAX_TEXT) throw new LiveChatError(1003, 'MessageTooLongError', `A message has at most ${MAX_TEXT} characters`);
    return text.trim();
  }

  // Reads the claims only. The signature is the back end's business: a page
  // does not hold the secret.
  function readToken(token) {
    const invalid = (why) => new LiveChatError(1005, 'InvalidTokenError', `The token is not valid: ${why}`);
    let claims;
    try {
      const part = token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/');
      claims = JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(part), (c) => c.charCodeAt(0))));
    } catch {
      throw invalid('it cannot be read');
    }
    if (claims.iss !== widgetId) throw invalid('it was made for another widget');
    if (!claims.sub || !['email', 'msisdn', 'externalPersonId'].includes(claims.stp)) throw invalid('it names no person');
    if (!((claims.exp ?? claims.iat + 15) > Date.now() / 1000)) throw invalid('it has expired');
    return claims;
  }

  function report(data) {
    window.postMessage(data, location.origin);
  }

  // ---- face 1: liveChat(command, argument, callback) ----

  const commands = new Map(['init', 'auth', 'logout', 'show', 'hide', 'sendMessage', 'createThread'].map((name) => [name, chat[name]]));

  function liveChat(command, argument, callback) {
    run(() => {
      const method = commands.get(command);
      if (!method) throw new LiveChatError(1006, 'UnknownCommandError', `There is no command ${command}`);
      return method(argument);
    }).then(
      (result) => callback?.(null, result),
      (error) => (callback ? callback(shapeOf(error), null) : console.warn('Live Chat stand-in:', shapeOf(error).message)),
    );
  }

  // async, so that a fault of any kind becomes a rejection.
  async function run(method) {
    return method();
  }

  // ---- face 2: LiveChatSDK ----

  const settle = (method) =>
    run(method).then((data) => ({ success: true, data }), (error) => ({ success: false, error: shapeOf(error) }));

  class LiveChatSDK {
    sendMessage(payload) { return settle(() => chat.sendMessage(payload)); }
    createThread(payload) { return settle(() => chat.createThread(payload)); }
    getThreads() { return settle(() => chat.getThreads()); }
    getActiveThread() { return settle(() => chat.getActiveThread()); }

    getWidget() {
      return {
        showThread: (id) => settle(() => chat.showThread(id)),
        openNewThread: () => settle(() => chat.openNewThread()),
      };
    }

    on(event, handler) {
      listeners.set(event, [...(listeners.get(event) ?? []), handler]);
    }
  }

  // ---- the panel ----

  function buildPanel() {
    const root = document.createElement('div');
    root.className = 'lc-widget-wrapper';
    root.innerHTML = `
      <style>
        .lc-widget-wrapper { position: fixed; inset: auto 1rem 1rem auto; z-index: 1000; font: 15px/1.45 system-ui, sans-serif;
          color-scheme: light dark; --lc-paper: #fff; --lc-ink: #1b1e24; --lc-soft: #eceef2; --lc-edge: #6d7482; }
        @media (prefers-color-scheme: dark) {
          .lc-widget-wrapper { --lc-paper: #22252b; --lc-ink: #eef0f4; --lc-soft: #33373f; --lc-edge: #8b92a0; }
        }
        .lc-widget-wrapper button, .lc-widget-wrapper textarea { font: inherit; }
        .lc-widget-wrapper :focus-visible { outline: 3px solid #ff9f1a; outline-offset: 1px; box-shadow: none; }
        .lc-widget-wrapper .lc-widget-button { display: flex; align-items: center; gap: .5rem; margin-left: auto; padding: .7rem 1.1rem; border: 2px solid #fff;
          border-radius: 999px; background: #23262d; color: #fff; font-weight: 600; cursor: pointer; box-shadow: 0 2px 10px #0005; }
        .lc-widget-panel { display: flex; flex-direction: column; width: min(22rem, calc(100vw - 2rem)); height: min(28rem, calc(100dvh - 6.5rem));
          margin-bottom: .75rem; border: 1px solid var(--lc-edge); border-radius: .9rem; overflow: hidden; background: var(--lc-paper);
          color: var(--lc-ink); box-shadow: 0 8px 30px #0004; }
        .lc-widget-panel[hidden] { display: none; }
        .lc-widget-head { padding: .75rem 1rem; background: #23262d; color: #fff; border-bottom: 6px solid;
          border-image: repeating-linear-gradient(135deg, #ff9f1a 0 10px, #23262d 10px 20px) 6; }
        .lc-widget-head h2 { margin: 0; font-size: 1rem; color: inherit; letter-spacing: 0; }
        .lc-widget-head p { margin: .15rem 0 0; font-size: .82rem; color: #d5d8de; }
        .lc-widget-user:empty { display: none; }
        .lc-widget-messages { flex: 1; margin: 0; padding: 1rem; overflow-y: auto; list-style: none; display: flex; flex-direction: column; gap: .5rem; }
        .lc-widget-messages li { max-width: 85%; padding: .5rem .75rem; border-radius: .8rem; background: var(--lc-soft); overflow-wrap: anywhere; white-space: pre-wrap; }
        .lc-widget-messages li.user { align-self: end; background: #2f5fd0; color: #fff; }
        .lc-widget-messages li.echo { align-self: start; border: 1px dashed var(--lc-edge); }
        .lc-widget-form { display: flex; gap: .5rem; padding: .75rem; border-top: 1px solid var(--lc-soft); }
        .lc-widget-form textarea { flex: 1; min-width: 0; resize: none; padding: .5rem .6rem; border: 1px solid var(--lc-edge); border-radius: .5rem;
          background: var(--lc-paper); color: inherit; }
        .lc-widget-form button { padding: 0 .9rem; border: 0; border-radius: .5rem; background: #2f5fd0; color: #fff; font-weight: 600; cursor: pointer; }
      </style>
      <div class="lc-widget-panel" id="lc-widget-panel" role="region" aria-label="Live Chat stand-in" hidden>
        <div class="lc-widget-head">
          <h2>Live Chat stand-in</h2>
          <p>For this demonstration only. Nothing leaves your browser, no person answers.</p>
          <p class="lc-widget-user"></p>
        </div>
        <ol class="lc-widget-messages" role="log" aria-label="Messages" tabindex="0"></ol>
        <form class="lc-widget-form">
          <textarea class="lc-widget-input" rows="2" maxlength="${MAX_TEXT}" aria-label="Your message" placeholder="Write something"></textarea>
          <button class="lc-widget-send">Send</button>
        </form>
      </div>
      <button type="button" class="lc-widget-button" aria-controls="lc-widget-panel" aria-expanded="false">Chat</button>`;

    const find = (name) => root.querySelector(`.lc-widget-${name}`);
    const [box, list, form, input, button, user] = ['panel', 'messages', 'form', 'input', 'button', 'user'].map(find);

    button.addEventListener('click', () => {
      if (state.open) {
        chat.hide();
      } else {
        chat.show();
        input.focus();
      }
    });
    root.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && state.open) {
        chat.hide();
        button.focus();
      }
    });
    input.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        form.requestSubmit();
      }
    });
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (!input.value.trim()) return;
      chat.sendMessage({ message: input.value });
      input.value = '';
      input.focus();
    });

    const attach = () => document.body.append(root);
    if (document.body) attach();
    else document.addEventListener('DOMContentLoaded', attach, { once: true });

    return {
      render() {
        box.hidden = !state.open;
        button.setAttribute('aria-expanded', String(state.open));
        button.textContent = state.open ? 'Close chat' : 'Chat';
        user.textContent = state.user ? `Signed in as ${state.user.sub}` : '';
        list.replaceChildren(...(active()?.messages ?? []).map((message) => {
          const item = document.createElement('li');
          item.className = message.from;
          item.textContent = message.message;
          return item;
        }));
        list.scrollTop = list.scrollHeight;
      },
    };
  }

  // ---- start: replace the loader's stub and work off what it queued ----

  const queued = window.liveChat?.q ?? [];
  window.LiveChatSDK = LiveChatSDK;
  window.liveChat = liveChat;
  for (const call of queued) window.liveChat(...call);
})();
