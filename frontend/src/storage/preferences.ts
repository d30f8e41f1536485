import { PreferenceStore } from "../core/preferences";

const stores = new Map<number, PreferenceStore>();

/** The preferences of one person in this browser. Always the same store, so that every page sees a change at once. */
export function preferencesOf(userId: number): PreferenceStore {
  const known = stores.get(userId);
  if (known) return known;
  const key = `anymask.preferences.${userId}`;
  const store = new PreferenceStore({
    load: () => {
      try {
        return JSON.parse(localStorage.getItem(key) ?? "null");
      } catch {
        return null; // damaged, or a browser that gives no storage
      }
    },
    save: (preferences) => {
      try {
        localStorage.setItem(key, JSON.stringify(preferences));
      } catch {
        // Without storage they hold until the page is left.
      }
    },
  });
  stores.set(userId, store);
  return store;
}
