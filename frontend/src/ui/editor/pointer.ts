import { afterwards } from "../../actions/afterwards";
import type { EditorSession } from "../../actions/editorSession";
import { Dwell } from "../../core/dwell";
import { isInside, type ScreenPoint, screenPoint } from "../../core/geometry";
import { toImage } from "../../core/viewport";
import type { ToolPointer } from "../../tools/tool";

const WHEEL_ZOOM = 0.0016;
/** A mouse wheel that counts in lines, not pixels. */
const LINE_HEIGHT = 24;
const WHEEL_BRUSH = 0.0012;

/**
 * Translates the browser's pointer events for the editor: tools get image points; the middle button, the space bar and
 * two fingers move and zoom; Ctrl or Alt with the wheel sizes the brush. Returns what takes it all off again.
 */
export function attachPointer(host: HTMLElement, surface: HTMLCanvasElement, session: EditorSession): () => void {
  const stop = new AbortController();
  const options = { signal: stop.signal };
  const fingers = new Map<number, ScreenPoint>();
  let panning: { id: number; last: ScreenPoint } | null = null;
  let space = false;
  let control = false;

  const at = (event: MouseEvent): ScreenPoint => {
    const box = surface.getBoundingClientRect();
    return screenPoint(event.clientX - box.left, event.clientY - box.top);
  };
  const toolPointer = (event: PointerEvent): ToolPointer => ({
    ...placeOf(session, at(event)),
    button: event.button === 2 || (event.buttons & 2) !== 0 ? "right" : "left",
    alt: event.altKey,
    shift: event.shiftKey,
    touch: event.pointerType === "touch",
    pressure: event.pointerType === "pen" && session.preferences.current.pressure ? event.pressure : 1,
  });
  const setPanning = (next: typeof panning) => {
    panning = next;
    host.parentElement?.classList.toggle("stage--panning", next !== null || space);
  };
  const dwell = attachDwell(host, session);

  const down = (event: PointerEvent) => {
    session.clock.activity();
    dwell.stop();
    surface.setPointerCapture(event.pointerId);
    if (event.pointerType === "touch") {
      fingers.set(event.pointerId, at(event));
      if (fingers.size === 2) {
        session.tool.cancel();
        setPanning(null);
        return;
      }
    }
    if (event.button === 1 || (event.button === 0 && space)) {
      event.preventDefault();
      setPanning({ id: event.pointerId, last: at(event) });
      return;
    }
    const pointer = toolPointer(event);
    session.cursor.leaveTo(pointer.image);
    session.tool.down(pointer);
  };

  const move = (event: PointerEvent) => {
    session.clock.activity();
    const here = at(event);
    if (fingers.size === 2 && fingers.has(event.pointerId)) {
      pinch(session, fingers, event.pointerId, here);
      return;
    }
    if (panning?.id === event.pointerId) {
      session.pan(here.x - panning.last.x, here.y - panning.last.y);
      setPanning({ id: event.pointerId, last: here });
      return;
    }
    if (fingers.has(event.pointerId)) {
      // One finger that the tool has let go of, because it moved too far for a tap, moves the picture.
      const before = fingers.get(event.pointerId) ?? here;
      session.tool.move(toolPointer(event));
      const taps = session.toolId === "click" || session.toolId === "select" || session.toolId === "proposals";
      if (taps && session.tool.state() === "idle") session.pan(here.x - before.x, here.y - before.y);
      fingers.set(event.pointerId, here);
      return;
    }
    const pointer = toolPointer(event);
    session.cursor.leaveTo(pointer.image);
    if (event.buttons === 0) dwell.move(here, session.editable ? session.preferences.current.dwell : null);
    session.tool.move(pointer);
  };

  const up = (event: PointerEvent) => {
    const pinched = fingers.size >= 2;
    fingers.delete(event.pointerId);
    if (panning?.id === event.pointerId) setPanning(null);
    else if (pinched || event.type === "pointercancel") session.tool.cancel();
    else session.tool.up(toolPointer(event));
  };

  const leave = () => {
    dwell.stop();
    session.tool.leave();
  };

  const wheel = (event: WheelEvent) => {
    event.preventDefault();
    session.clock.activity();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE;
    const delta = event.deltaY * (lines ? LINE_HEIGHT : 1);
    const paints = session.toolId === "brush" || session.toolId === "eraser";
    // Pinching a touchpad looks like Ctrl with the wheel, too; the key itself is not down then.
    if (paints && (event.altKey || (event.ctrlKey && control))) {
      session.growBrush(Math.exp(-delta * WHEEL_BRUSH));
      return;
    }
    session.zoom(at(event), Math.exp(-delta * (event.ctrlKey ? 4 : 1) * WHEEL_ZOOM));
  };

  const key = (event: KeyboardEvent) => {
    if (event.key === "Control") control = event.type === "keydown";
    if (event.key !== " " || event.ctrlKey || (event.target !== surface && event.target !== document.body)) return;
    event.preventDefault();
    // With the crosshair, Space is a press there.
    space = event.type === "keydown" && !session.cursor.visible;
    setPanning(panning);
  };

  surface.addEventListener("pointerdown", down, options);
  surface.addEventListener("pointermove", move, options);
  surface.addEventListener("pointerup", up, options);
  surface.addEventListener("pointercancel", up, options);
  surface.addEventListener("pointerleave", leave, options);
  surface.addEventListener("dblclick", () => session.tool.finish(), options);
  surface.addEventListener("contextmenu", (event) => event.preventDefault(), options);
  surface.addEventListener("wheel", wheel, { ...options, passive: false });
  window.addEventListener("keydown", key, options);
  window.addEventListener("keyup", key, options);
  return () => {
    dwell.stop();
    stop.abort();
  };
}

function placeOf(session: EditorSession, screen: ScreenPoint): Pick<ToolPointer, "screen" | "image" | "inside"> {
  const image = toImage(session.view, screen);
  return { screen, image, inside: isInside(image, session.size) };
}

/** Holding still as a click, with a ring that shows how long it still takes. */
function attachDwell(host: HTMLElement, session: EditorSession): Dwell {
  const ring = document.createElement("span");
  ring.className = "dwell";
  ring.setAttribute("aria-hidden", "true");
  return new Dwell({
    later: afterwards,
    resting: (at, milliseconds) => {
      ring.remove();
      if (!at) return;
      ring.style.translate = `${at.x}px ${at.y}px`;
      ring.style.animationDuration = `${milliseconds}ms`;
      host.append(ring);
    },
    click: (at) => {
      session.clock.activity();
      const rest = { button: "left" as const, alt: false, shift: false, touch: false, pressure: 1 };
      const pointer = { ...placeOf(session, at), ...rest };
      session.tool.down(pointer);
      session.tool.up(pointer);
    },
  });
}

/** Two fingers: the picture follows their middle and grows with their distance. */
function pinch(session: EditorSession, fingers: Map<number, ScreenPoint>, moved: number, to: ScreenPoint): void {
  const from = fingers.get(moved);
  const other = [...fingers].find(([id]) => id !== moved)?.[1];
  if (!from || !other) return;
  const before = Math.hypot(from.x - other.x, from.y - other.y);
  const after = Math.hypot(to.x - other.x, to.y - other.y);
  session.pan((to.x - from.x) / 2, (to.y - from.y) / 2);
  if (before > 0) session.zoom(screenPoint((to.x + other.x) / 2, (to.y + other.y) / 2), after / before);
  fingers.set(moved, to);
}
