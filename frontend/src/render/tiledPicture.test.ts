import { describe, expect, it } from "vitest";
import { TiledPicture } from "./tiledPicture";

/** A canvas of 800 x 600 that notes what is drawn on it: the tile's name, and where. */
function canvas() {
  const drawn: { tile: string; at: number[] }[] = [];
  const context = {
    canvas: { width: 800, height: 600 },
    drawImage: (tile: { name: string }, ...at: number[]) => drawn.push({ tile: tile.name, at }),
  };
  return { drawn, context: context as unknown as CanvasRenderingContext2D };
}

const SIZE = { width: 10_000, height: 6_000 };
const LEVELS = 5; // 10000, 5000, 2500, 1250, 625

async function opened() {
  const asked: string[] = [];
  const closed: string[] = [];
  const load = async (address: string) => {
    asked.push(address);
    const [level = 0, column = 0, row = 0] = address.split("/").map(Number);
    const [width, height] = [Math.ceil(SIZE.width / 2 ** level), Math.ceil(SIZE.height / 2 ** level)];
    return {
      name: address,
      width: Math.min(1024, width - column * 1024),
      height: Math.min(1024, height - row * 1024),
      close: () => closed.push(address),
    } as unknown as ImageBitmap;
  };
  const picture = await new TiledPicture("{z}/{x}/{y}", SIZE, LEVELS, load).open();
  return { picture, asked, closed };
}

const rest = () => new Promise((resolve) => setTimeout(resolve, 20));

describe("a picture of tiles", () => {
  it("asks for the coarsest first, then only for what is in view, at the level that is shown", async () => {
    const { picture, asked } = await opened();
    expect(asked).toEqual(["4/0/0"]);
    const { context, drawn } = canvas();
    picture.draw(context, { scale: 0.0625, x: 0, y: 0 }, 1);
    await rest();
    expect(asked).toEqual(["4/0/0"]);
    expect(drawn).toEqual([{ tile: "4/0/0", at: [0, 0, 625, 375, 0, 0, 625, 375] }]);
    picture.draw(context, { scale: 1, x: -2000, y: -1000 }, 1);
    await rest();
    expect(asked.slice(1).toSorted()).toEqual(["0/1/0", "0/1/1", "0/2/0", "0/2/1"]);
  });

  it("draws what it knows of a place until the tile is there, and says when it is", async () => {
    const { picture } = await opened();
    const { context, drawn } = canvas();
    let better = 0;
    picture.onBetter(() => better++);
    const view = { scale: 0.25, x: -1000, y: -1000 };
    picture.draw(context, view, 1);
    expect(drawn.map((one) => one.tile)).toEqual(Array(drawn.length).fill("4/0/0"));
    // Level 2 on level 4: a quarter of a tile of 1024 pixels for each.
    expect(drawn[1]?.at.slice(0, 4)).toEqual([256, 0, 256, 256]);
    await rest();
    expect(better).toBe(drawn.length);
    drawn.length = 0;
    picture.draw(context, view, 1);
    expect(drawn.map((one) => one.tile).toSorted()).toEqual(["2/0/0", "2/0/1", "2/1/0", "2/1/1"]);
  });

  it("covers the view without seams and stays inside the picture", async () => {
    const { picture } = await opened();
    const { context, drawn } = canvas();
    const view = { scale: 0.37, x: -10_000 * 0.37 + 500.4, y: -6_000 * 0.37 + 300.7 };
    picture.draw(context, view, 1);
    await rest();
    drawn.length = 0;
    picture.draw(context, view, 1);
    const edges = drawn.map(({ at }) => at.slice(4));
    const rights = edges.map(([left = 0, , width = 0]) => left + width);
    expect(Math.max(...rights)).toBe(500);
    for (const [left = 0] of edges) expect(left <= 0 || rights.includes(left)).toBe(true);
  });

  it("keeps a bounded number of tiles, the coarsest always", async () => {
    const { picture, asked, closed } = await opened();
    const { context, drawn } = canvas();
    for (let column = 0; column < 9; column++) {
      for (let row = 0; row < 5; row++) {
        picture.draw(context, { scale: 1, x: -column * 1024 - 100, y: -row * 1024 - 100 }, 1);
        await rest();
      }
    }
    expect(asked.length - closed.length).toBeLessThanOrEqual(40);
    expect(closed).not.toContain("4/0/0");
    drawn.length = 0;
    picture.draw(context, { scale: 0.05, x: 0, y: 0 }, 1);
    expect(drawn[0]?.tile).toBe("4/0/0");
  });

  it("asks again for a tile that could not be had", async () => {
    let failing = true;
    const load = async (address: string) => {
      if (failing && address !== "1/0/0") throw new Error("offline");
      return { name: address, width: 1024, height: 1024, close: () => undefined } as unknown as ImageBitmap;
    };
    const picture = await new TiledPicture("{z}/{x}/{y}", { width: 1500, height: 900 }, 2, load).open();
    const { context, drawn } = canvas();
    const look = () => picture.draw(context, { scale: 1, x: 0, y: 0 }, 1);
    look();
    await rest();
    failing = false;
    look();
    await rest();
    drawn.length = 0;
    look();
    expect(drawn.map((one) => one.tile)).toEqual(["0/0/0"]);
  });
});
