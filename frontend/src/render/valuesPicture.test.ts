import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { ValuesSource } from "../core/deepValues";
import { imagePoint } from "../core/geometry";
import { PLAIN_LOOK } from "../core/viewSettings";
import { ValuesPicture } from "./valuesPicture";

/** What was put onto it last: the grey of the first pixel. */
class Canvas {
  grey = -1;
  constructor(
    public width: number,
    public height: number,
  ) {}
  getContext() {
    return {
      createImageData: (width: number, height: number) => ({ data: new Uint8ClampedArray(width * height * 4) }),
      putImageData: ({ data }: { data: Uint8ClampedArray }) => {
        this.grey = data[0] ?? -1;
      },
    };
  }
}

beforeEach(() => void vi.stubGlobal("OffscreenCanvas", Canvas));
afterEach(() => void vi.unstubAllGlobals());

const SIZE = { width: 1500, height: 1000 };
const ENDS = { low: 0, high: 1000, minimum: 0, maximum: 60_000 };
const SOURCE: ValuesSource = {
  url: "/values/{channel}/{z}/{x}/{y}/",
  kind: "uint16",
  levels: 2,
  channels: [ENDS, ENDS],
  shown: [0],
  inverted: false,
};

/** Every value of a tile is 100 times its column, the coarsest is 510; channel 1 has one more. */
async function opened(planes = [0]) {
  const asked: string[] = [];
  const load = async (address: string) => {
    asked.push(address);
    const [, , channel = 0, level = 0, column = 0] = address.split("/").map(Number);
    const size = level === 1 ? 750 * 500 : (column === 0 ? 1024 : 476) * 1000;
    return new Uint16Array(size).fill((level === 1 ? 510 : 100 * column) + channel).buffer;
  };
  return { asked, picture: await new ValuesPicture(SOURCE, planes, SIZE, load).open() };
}

function canvas() {
  const greys: number[] = [];
  const context = {
    canvas: { width: 1500, height: 1000 },
    drawImage: (tile: Canvas) => greys.push(tile.grey),
  };
  return { greys, context: context as unknown as CanvasRenderingContext2D };
}

const rest = () => new Promise((resolve) => setTimeout(resolve, 20));
const WHOLE = { scale: 1, x: 0, y: 0 };

describe("a picture in its own values", () => {
  it("fetches what is in view of the channels shown, and reads their values", async () => {
    const { picture, asked } = await opened([0, 1]);
    const { context } = canvas();
    expect(picture.at(imagePoint(1200, 5))).toEqual({ values: [510, 511], exact: false });
    picture.draw(context, WHOLE, 1);
    await rest();
    expect(asked.toSorted()).toEqual(
      ["0/0/0/0", "0/0/1/0", "0/1/0/0", "1/0/0/0", "1/0/1/0", "1/1/0/0"].map((one) => `/values/${one}/`),
    );
    expect(picture.at(imagePoint(1200.7, 5))).toEqual({ values: [100, 101], exact: true });
    expect([picture.at(imagePoint(-1, 5)), picture.at(imagePoint(5, 1000))]).toEqual([null, null]);
  });

  it("fetches what lies under a pointer, and says when it is there", async () => {
    const { picture, asked } = await opened();
    let better = 0;
    picture.onBetter(() => better++);
    picture.want(imagePoint(1400, 900));
    await rest();
    expect([asked.at(-1), better]).toEqual(["/values/0/0/1/0/", 1]);
    expect(picture.at(imagePoint(1400, 900))).toEqual({ values: [100], exact: true });
  });

  it("is painted anew with another window, and only then", async () => {
    const { picture } = await opened();
    const { context, greys } = canvas();
    const small = { scale: 0.5, x: 0, y: 0 };
    let better = 0;
    picture.onBetter(() => better++);
    picture.draw(context, small, 1);
    picture.setLook({ ...PLAIN_LOOK, black: 0.4, white: 0.5 });
    picture.draw(context, small, 1);
    expect([greys, better]).toEqual([[130, 255], 1]);
  });

  it("keeps the old look of tiles for a frame where painting all of them takes too long", async () => {
    const { picture } = await opened();
    const { context, greys } = canvas();
    picture.draw(context, WHOLE, 1);
    await rest();
    picture.draw(context, WHOLE, 1);
    greys.length = 0;
    let now = 1000;
    const clock = vi.spyOn(performance, "now").mockImplementation(() => (now += 10));
    let better = 0;
    picture.onBetter(() => better++);
    picture.setLook({ ...PLAIN_LOOK, invert: true });
    picture.draw(context, WHOLE, 1);
    await rest();
    expect(greys).toEqual([255, 26]); // the second tile still shows 100 of 1000
    expect(better).toBe(2);
    picture.draw(context, WHOLE, 1);
    clock.mockRestore();
    expect(greys.slice(2)).toEqual([255, 229]);
  });

  it("refuses a tile that was cut short", async () => {
    const short = async () => new Uint16Array(7).buffer;
    await expect(new ValuesPicture(SOURCE, [0], SIZE, short).open()).rejects.toThrow("cut short");
  });
});
