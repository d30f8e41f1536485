import { useCallback, useSyncExternalStore } from "react";
import type { EditorSession } from "../../actions/editorSession";

/**
 * Reads one thing from the editor and renders again only when it changes. `select` must return a primitive or an object
 * that stays the same while its content does: the session's maps, sets and lists are immutable for this.
 */
export function useEditor<T>(session: EditorSession, select: (session: EditorSession) => T): T {
  const subscribe = useCallback((listener: () => void) => session.changed.on(listener), [session]);
  return useSyncExternalStore(subscribe, () => select(session));
}
