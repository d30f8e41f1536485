import { useEffect, useState } from "react";
import { COMMANDS_BY_ID } from "../../actions/commands";
import type { EditorSession } from "../../actions/editorSession";
import { patchHas } from "../../core/patch";
import { percent } from "../kit/format";

/** Somebody who moves fast wants to hear where it ended, not every step. */
const QUIET = 400;

/**
 * Tells people who do not see the picture what is going on in it: where the crosshair is and on what, what the model
 * offers, which tool was taken. Polite: it waits until nothing else is said.
 */
export function Announcer({ session }: { session: EditorSession }) {
  const [message, setMessage] = useState("");
  useEffect(() => {
    let said = described(session);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const off = session.changed.on(() => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        const now = described(session);
        const news = now.filter((part, at) => part !== "" && part !== said[at]);
        said = now;
        if (news.length > 0) setMessage(news.join(" "));
      }, QUIET);
    });
    return () => {
      clearTimeout(timer);
      off();
    };
  }, [session]);
  return (
    <p className="sr-only" aria-live="polite">
      {message}
    </p>
  );
}

/** Each part is read out when it has changed. */
function described(session: EditorSession): string[] {
  const { drafting, cursor, toolId } = session;
  const tool = COMMANDS_BY_ID.get(`tool.${toolId}`)?.label ?? "";
  const { candidates, chosen } = drafting;
  const offered = drafting.busy
    ? ""
    : candidates.length === 0
      ? ""
      : `${candidates.length} candidates. Number ${chosen ? candidates.indexOf(chosen) + 1 : 1} is shown, ` +
        `predicted IoU ${percent(chosen?.predictedIou ?? 0)}.`;
  return [`${tool}.`, offered, cursor.at ? where(session, cursor.at.x, cursor.at.y) : ""];
}

function where(session: EditorSession, x: number, y: number): string {
  const { cursor, drafting } = session;
  const at = cursor.at;
  if (!at) return "";
  const place = `${Math.floor(x)} across, ${Math.floor(y)} down`;
  const draft = drafting.patch && patchHas(drafting.patch, at) ? "on the mask in the making" : "";
  const listed = session.layout.listed();
  const under = session.store.at(at, session.hidden);
  const mask = under ? `on ${under.category || `mask ${listed.indexOf(under) + 1}`}` : "";
  const pressed = cursor.held ? "Held down. " : "";
  return `${pressed}${[place, draft, mask].filter(Boolean).join(", ")}.`;
}
