import { useEffect, useState } from "react";
import type { EditorSession } from "../../actions/editorSession";
import { announce } from "./announcing";

/** For people who do not see the picture. Polite: it waits until nothing else is said. */
export function Announcer({ session }: { session: EditorSession }) {
  const [message, setMessage] = useState("");
  useEffect(() => announce(session, setMessage), [session]);
  return (
    <p className="sr-only" aria-live="polite">
      {message}
    </p>
  );
}
