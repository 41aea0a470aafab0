// localStorage that may be missing, blocked or full: reading the global alone
// can throw. Memory stands in for it then, for this page only.

const memory: Record<string, string> = {};

export function read(key: string): string | undefined {
  let value;
  try {
    value = localStorage.getItem(key);
  } catch {}
  return value ?? memory[key];
}

// write removes the key when there is no value.
export function write(key: string, value?: string): void {
  memory[key] = value!;
  try {
    if (value) localStorage.setItem(key, value);
    else localStorage.removeItem(key);
  } catch {}
}

// keys lists the stored keys that begin with prefix.
export function keys(prefix: string): string[] {
  try {
    return Object.keys(localStorage).filter((key) => key.startsWith(prefix));
  } catch {
    return [];
  }
}
