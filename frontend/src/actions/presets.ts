import type { Preset } from "../core/preferences";

export const PRESET_NAMES: Readonly<Record<Preset, string>> = {
  anymask: "Anymask",
  cvat: "CVAT",
  "label-studio": "Label Studio",
};

/**
 * What is different for hands that learned another product, by command id. The strokes are those of CVAT's shortcuts
 * page and of Label Studio's keymap and tools; what they do not have keeps Anymask's.
 */
export const PRESETS: Readonly<Record<Preset, Readonly<Record<string, readonly string[]>>>> = {
  anymask: {},
  cvat: {
    "mask.accept": ["N", "Shift+N", "Enter"],
    "tool.brush": ["Shift+1", "B"],
    "tool.eraser": ["Shift+2", "E"],
    "tool.polygon": ["Shift+3", "P"],
    "tool.polygonRemove": ["Shift+4"],
    "image.submit": ["F", "Ctrl+Enter"],
    "image.back": ["D", "Ctrl+ArrowLeft"],
    "frame.previous": [","],
    "frame.next": ["."],
    "mask.hide": ["H"],
    "view.hide": ["Alt+H"],
    "view.fit": ["0"],
    "help.keys": ["F1", "?"],
  },
  "label-studio": {
    "view.fit": ["Shift+1", "F", "0"],
    "view.actual": ["Shift+2", "Ctrl+0"],
    "view.in": ["Ctrl++", "Ctrl+=", "+", "="],
    "view.out": ["Ctrl+-", "-"],
  },
};
