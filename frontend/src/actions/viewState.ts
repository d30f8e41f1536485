import { Emitter } from "../core/emitter";
import { isPlain, type PictureLook, PLAIN_LOOK, readSettings, type ViewSettings } from "../core/viewSettings";

const KEY = "anymask.view";

/** How pictures are shown in this browser: one for all images, kept between visits. */
export class ViewState {
  readonly changed = new Emitter<void>();
  private settings: ViewSettings;

  constructor(private readonly storage: Pick<Storage, "getItem" | "setItem">) {
    this.settings = readSettings(stored(storage));
  }

  get current(): ViewSettings {
    return this.settings;
  }

  set(part: Partial<ViewSettings>): void {
    this.settings = { ...this.settings, ...part };
    try {
      this.storage.setItem(KEY, JSON.stringify(this.settings));
    } catch {
      // Without storage the settings hold until the page is left.
    }
    this.changed.emit();
  }

  setLook(part: Partial<PictureLook>): void {
    this.set({ look: { ...this.settings.look, ...part } });
  }

  resetLook(): void {
    if (!isPlain(this.settings.look)) this.set({ look: PLAIN_LOOK });
  }
}

function stored(storage: Pick<Storage, "getItem">): unknown {
  try {
    return JSON.parse(storage.getItem(KEY) ?? "null");
  } catch {
    return null;
  }
}
