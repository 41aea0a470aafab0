// When calls may leave the page.

// active resolves unless the page is only being prerendered: nothing may leave
// it then.
export const active = new Promise<unknown>((resolve) => {
  if ((document as any).prerendering) document.addEventListener('prerenderingchange', resolve);
  else resolve(0);
});

// liveChatSeen says that Live Chat is initialised.
export let liveChatSeen: (value?: unknown) => void;

// ready resolves when both is true (B21).
export const ready = Promise.all([active, new Promise((resolve) => (liveChatSeen = resolve))]);
