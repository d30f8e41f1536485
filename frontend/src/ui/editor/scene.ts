import type { EditorSession } from "../../actions/editorSession";
import type { Proposal } from "../../actions/proposals";
import type { Wrong } from "../../actions/reviewWork";
import type { FirstMask } from "../../actions/splitView";
import { promptsOf } from "../../core/draft";
import type { MaskItem } from "../../core/maskStore";
import { DRAFT_COLOUR, MASK_COLOURS } from "../../core/palette";
import type { MaskPaint } from "../../core/tile";
import { distanceText } from "../../core/viewSettings";
import type { Picture } from "../../render/picture";
import type { Scene, SceneMask } from "../../render/scene";

/** What the canvases show of the editor's state. */
export function sceneOf(session: EditorSession, image: Picture | null): Scene {
  const { drafting, store } = session;
  const { draft } = store;
  const { points, labels, box } = promptsOf(draft.steps);
  const made = drafting.patch;
  const shown = made ?? drafting.hovered ?? session.proposals.hovered?.candidate.patch ?? null;
  const crosshair = session.cursor.at;
  const settings = session.options.view.current;
  const { ruler } = session;
  return {
    view: session.view,
    image,
    imageSize: session.size,
    masks: sceneMasks(session),
    divided: session.split.before && { masks: firstSceneMasks(session, session.split.before), at: session.split.at },
    draft: shown && { patch: shown, preview: made === null },
    points: points.map((point, at) => ({ x: point.x, y: point.y, label: labels[at] ?? 1 })),
    box,
    stroke: session.strokePreview && { ...session.strokePreview, radius: session.brushRadius },
    wrong: wrongOf(session),
    pins: pinsOf(session),
    shapes: crosshair ? [...session.tool.overlay(), { kind: "crosshair", at: crosshair }] : session.tool.overlay(),
    grid: settings.grid,
    ruler: ruler && {
      ...ruler,
      text: distanceText(Math.hypot(ruler.to.x - ruler.from.x, ruler.to.y - ruler.from.y), settings),
    },
  };
}

/** What is wrong: with the correction in the making, else with the selected mask, else with every returned one. */
function wrongOf({ review, selectedId, split }: EditorSession): readonly Wrong[] {
  if (!review || split.before) return [];
  const draft = review.kind === "review" ? review.wrongOfDraft() : null;
  if (draft) return [draft];
  const selected = selectedId === null ? null : review.itemOf(selectedId);
  const items = selected ? [selected] : review.kind === "returned" ? review.items : [];
  return items.flatMap((item) => review.wrongOf(item) ?? []);
}

function pinsOf({ review }: EditorSession): Scene["pins"] {
  if (!review) return [];
  const pins = review.items.flatMap(({ x, y }, at) => (x === null || y === null ? [] : [{ x, y, text: `${at + 1}` }]));
  return review.pin ? [...pins, { ...review.pin, text: "?" }] : pins;
}

const NO_MASKS: readonly SceneMask[] = [];
const NO_PROPOSALS: readonly Proposal[] = [];
const known = new WeakMap<EditorSession, { readonly of: readonly unknown[]; readonly masks: readonly SceneMask[] }>();

/** The masks to be painted; the same array while nothing that decides about them has changed. */
function sceneMasks(session: EditorSession): readonly SceneMask[] {
  if (session.allHidden) return NO_MASKS;
  const { layout, store, selectedId, alsoSelected } = session;
  const { maskStyle } = session.preferences.current;
  // What is being corrected is shown by its draft.
  const { parent } = store.draft;
  const proposals = session.toolId === "proposals" ? session.proposals.visible() : NO_PROPOSALS;
  const of = [layout.listed(), layout.hidden, selectedId, alsoSelected, maskStyle, parent, proposals];
  const before = known.get(session);
  if (before?.of.every((value, at) => value === of[at])) return before.masks;
  const masks = layout
    .listed()
    .filter((item) => !layout.hidden.has(item.id) && item.id !== parent)
    .map((item) => sceneMask(session, item))
    .concat(proposals.map(sceneProposal));
  known.set(session, { of, masks });
  return masks;
}

const firstKnown = new WeakMap<
  readonly FirstMask[],
  { readonly style: string; readonly masks: readonly SceneMask[] }
>();

/** The masks as they were first made, in the colours of what became of them; the same array while they look the same. */
function firstSceneMasks(session: EditorSession, first: readonly FirstMask[]): readonly SceneMask[] {
  const { maskStyle } = session.preferences.current;
  const before = firstKnown.get(first);
  if (before?.style === maskStyle) return before.masks;
  const masks = first.map(({ id, patch, last }) => ({ id, patch, selected: false, ...look(session, last) }));
  firstKnown.set(first, { style: maskStyle, masks });
  return masks;
}

/** Not yet a mask: an outline in the colour of what is in the making. */
function sceneProposal({ id, candidate }: Proposal): SceneMask {
  const look = { colour: DRAFT_COLOUR, pattern: 0, outlined: true, selected: false };
  return { id: `proposal ${id}`, patch: candidate.patch, ...look };
}

function sceneMask(session: EditorSession, { id, patch }: MaskItem): SceneMask {
  const selected = id === session.selectedId || session.alsoSelected.has(id);
  return { id, patch, selected, ...look(session, id) };
}

function look({ layout, preferences }: EditorSession, id: string): Pick<MaskPaint, "colour" | "pattern" | "outlined"> {
  const { maskStyle } = preferences.current;
  const style = layout.styleOf(id);
  // Beyond the palette's end two masks share a colour: a hatching tells them apart.
  const round = Math.floor(style / MASK_COLOURS.length);
  return {
    colour: layout.colourOf(id),
    pattern: maskStyle === "patterned" ? style + round : round,
    outlined: maskStyle === "outlined",
  };
}
