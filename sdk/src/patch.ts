const proxies = new WeakSet();

// patch puts a proxy in the place of a function that the page can see, and lets
// see have the arguments of every call after it. What is no function, or cannot
// be replaced, throws: it stays as it is.
export const patch = (owner: object, name: string, see: (args: any) => void): void => {
  const property = Object.getOwnPropertyDescriptor(owner, name)!;
  const { value } = property;
  if (typeof value !== 'function' || proxies.has(value)) return;
  property.value = new Proxy(value, {
    apply(target, self, args) {
      try {
        return Reflect.apply(target, self, args);
      } finally {
        try {
          see(args);
        } catch {}
      }
    },
  });
  proxies.add(property.value);
  // The same attributes: this works for a top-level function or var as well.
  Object.defineProperty(owner, name, property);
  // What the loader's stub queued before it was wrapped.
  value.q?.forEach(see);
};
