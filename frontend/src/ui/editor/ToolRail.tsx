import {
  Brush,
  Eraser,
  Eye,
  EyeOff,
  Grid3x3,
  Lasso,
  type LucideIcon,
  Maximize,
  MousePointer2,
  MousePointerClick,
  Pentagon,
  Redo2,
  Settings2,
  Signature,
  SquareDashed,
  Undo2,
  ZoomIn,
  ZoomOut,
} from "lucide-react";
import { COMMANDS_BY_ID } from "../../actions/commands";
import type { EditorSession, ToolId } from "../../actions/editorSession";
import { strokeLabel } from "../../actions/keymap";
import { keysOf, type Page } from "../../actions/registry";
import { worksByClicks } from "../../core/preferences";
import { IconButton } from "../kit/kit";
import { RefineMenu } from "./RefineMenu";
import { useEditor } from "./useEditor";

/** First what the model answers, then what is drawn by hand. */
const PROMPT_TOOLS: [ToolId, LucideIcon][] = [
  ["click", MousePointerClick],
  ["box", SquareDashed],
  ["scribble", Signature],
  ["lasso", Lasso],
  ["proposals", Grid3x3],
];
const PIXEL_TOOLS: [ToolId, LucideIcon][] = [
  ["brush", Brush],
  ["eraser", Eraser],
  ["polygon", Pentagon],
  ["select", MousePointer2],
];

interface RailProps {
  session: EditorSession;
  page: Page;
}

export function ToolRail({ session, page }: RailProps) {
  const active = useEditor(session, (state) => state.toolId);
  const allHidden = useEditor(session, (state) => state.allHidden);
  const byClicks = useEditor(session, (state) => worksByClicks(state.preferences.current));
  const shared = { session, page };
  const tools = (list: [ToolId, LucideIcon][]) =>
    list.map(([id, icon]) => (
      <CommandButton key={id} {...shared} command={`tool.${id}`} icon={icon} pressed={active === id} />
    ));
  return (
    <div className="editor__rail" role="toolbar" aria-label="Tools" aria-orientation="vertical">
      {tools(PROMPT_TOOLS)}
      <hr />
      {tools(PIXEL_TOOLS)}
      <RefineMenu session={session} page={page} />
      <hr />
      <CommandButton {...shared} command="mask.undo" icon={Undo2} />
      <CommandButton {...shared} command="mask.redo" icon={Redo2} />
      <hr />
      <CommandButton {...shared} command="view.hide" icon={allHidden ? EyeOff : Eye} pressed={allHidden} />
      <CommandButton {...shared} command="view.fit" icon={Maximize} />
      {byClicks && (
        <>
          <CommandButton {...shared} command="view.in" icon={ZoomIn} />
          <CommandButton {...shared} command="view.out" icon={ZoomOut} />
        </>
      )}
      <CommandButton {...shared} command="help.settings" icon={Settings2} />
    </div>
  );
}

interface CommandButtonProps extends RailProps {
  command: string;
  icon: LucideIcon;
  pressed?: boolean;
}

/** A button for an entry of the command table: its name, key and state come from there. */
function CommandButton({ session, page, command: id, icon, pressed }: CommandButtonProps) {
  const command = COMMANDS_BY_ID.get(id);
  const enabled = useEditor(session, (state) => command?.enabled?.(state) ?? true);
  const stroke = useStroke(session, id);
  if (!command) return null;
  return (
    <IconButton
      icon={icon}
      label={command.label}
      stroke={stroke}
      aria-pressed={pressed}
      disabled={!enabled}
      onClick={() => command.run(session, page)}
    />
  );
}

/** The first key of a command, as this person has it; undefined where it has none. */
export function useStroke(session: EditorSession, id: string): string | undefined {
  const preferences = useEditor(session, (state) => state.preferences.current);
  const command = COMMANDS_BY_ID.get(id);
  const stroke = command && keysOf(command, preferences)[0];
  return stroke && strokeLabel(stroke);
}
