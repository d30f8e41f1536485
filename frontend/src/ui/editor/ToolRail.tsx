import {
  Brush,
  Eraser,
  Eye,
  EyeOff,
  type LucideIcon,
  Maximize,
  Minus,
  MousePointer2,
  MousePointerClick,
  Plus,
  Redo2,
  SquareDashed,
  Undo2,
} from "lucide-react";
import { COMMANDS_BY_ID } from "../../actions/commands";
import type { EditorSession, ToolId } from "../../actions/editorSession";
import type { Page } from "../../actions/registry";
import { IconButton } from "../kit/kit";
import { useEditor } from "./useEditor";

const TOOLS: [ToolId, LucideIcon][] = [
  ["click", MousePointerClick],
  ["box", SquareDashed],
  ["brush", Brush],
  ["eraser", Eraser],
  ["select", MousePointer2],
];

interface RailProps {
  session: EditorSession;
  page: Page;
}

export function ToolRail({ session, page }: RailProps) {
  const active = useEditor(session, (state) => state.toolId);
  const allHidden = useEditor(session, (state) => state.allHidden);
  const removing = useEditor(session, (state) => state.removing);
  const touch = window.matchMedia("(pointer: coarse)").matches;
  return (
    <div className="editor__rail" role="toolbar" aria-label="Tools" aria-orientation="vertical">
      {TOOLS.map(([id, icon]) => (
        <CommandButton
          key={id}
          session={session}
          page={page}
          command={`tool.${id}`}
          icon={icon}
          pressed={active === id}
        />
      ))}
      {touch && active === "click" && (
        <IconButton
          icon={removing ? Minus : Plus}
          label={removing ? "Taps remove" : "Taps add"}
          aria-pressed={removing}
          onClick={() => session.setRemoving(!removing)}
        />
      )}
      <hr />
      <CommandButton session={session} page={page} command="mask.undo" icon={Undo2} />
      <CommandButton session={session} page={page} command="mask.redo" icon={Redo2} />
      <hr />
      <CommandButton
        session={session}
        page={page}
        command="view.hide"
        icon={allHidden ? EyeOff : Eye}
        pressed={allHidden}
      />
      <CommandButton session={session} page={page} command="view.fit" icon={Maximize} />
    </div>
  );
}

interface CommandButtonProps extends RailProps {
  command: string;
  icon: LucideIcon;
  pressed?: boolean;
}

/** A button for an entry of the command table: its name, key and state come from there. */
export function CommandButton({ session, page, command: id, icon, pressed }: CommandButtonProps) {
  const command = COMMANDS_BY_ID.get(id);
  const enabled = useEditor(session, (state) => command?.enabled?.(state) ?? true);
  if (!command) return null;
  return (
    <IconButton
      icon={icon}
      label={command.label}
      stroke={command.keys[0]}
      aria-pressed={pressed}
      disabled={!enabled}
      onClick={() => command.run(session, page)}
    />
  );
}
