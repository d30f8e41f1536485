import { COMMANDS_BY_ID } from "../../actions/commands";
import type { EditorSession } from "../../actions/editorSession";
import { patchHas } from "../../core/patch";
import { counted, percent } from "../kit/format";

/** Somebody who moves fast wants to hear where it ended, not every step. */
export const QUIET = 400;

/**
 * Tells in words what is going on in the picture: which image was opened, where the crosshair is and on what, what the
 * model offers, which tool was taken. Returns what ends it.
 */
export function announce(session: EditorSession, say: (message: string) => void): () => void {
  const opened = openedImage(session);
  // Of the image nothing has been said yet; what else is there at the beginning needs no telling.
  let said = ["", ...described(session)];
  const tell = () => {
    const now = [opened, ...described(session)];
    const news = now.filter((part, at) => part !== "" && part !== said[at]);
    said = now;
    if (news.length > 0) say(news.join(" "));
  };
  let timer = setTimeout(tell, QUIET);
  const off = session.changed.on(() => {
    clearTimeout(timer);
    timer = setTimeout(tell, QUIET);
  });
  return () => {
    clearTimeout(timer);
    off();
  };
}

function openedImage({ options, layout }: EditorSession): string {
  const masks = layout.listed().length;
  return `${options.image.file_name}, ${masks === 0 ? "no masks" : counted(masks, "mask")}.`;
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
