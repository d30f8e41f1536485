import { describe, expect, it } from "vitest";
import { type Frame, SURE, Timeline, type Track, type TrackMask, timeText } from "./timeline";

const IMAGE = 100;

const frames = (count: number, part: Partial<Frame> = {}): Frame[] =>
  Array.from({ length: count }, (_, number) => ({
    image: IMAGE + number,
    number,
    time: number / 5,
    open: true,
    ...part,
  }));

/** "A" accepted, "9" to "0" proposed with that many tenths, "?" proposed by nobody knows whom, "." absent. */
function track(id: string, marks: string): Track {
  const masks = [...marks].flatMap((mark, at): TrackMask[] => {
    if (mark === ".") return [];
    const confidence = mark === "A" || mark === "?" ? null : Number(mark) / 10;
    return [{ id: `${id}${at}`, image: IMAGE + at, status: mark === "A" ? "accepted" : "proposed", confidence }];
  });
  return { id, category: "", masks };
}

describe("frames", () => {
  const line = new Timeline(frames(4), []);

  it("are found by their image and left at neither end", () => {
    expect(line.placeOf(IMAGE + 2)).toBe(2);
    expect(line.placeOf(7)).toBeNull();
    expect([line.neighbour(0, -1), line.neighbour(0, 1), line.neighbour(3, 1)]).toEqual([null, 1, null]);
  });

  it("are counted as people do, whatever their numbers", () => {
    const gaps = new Timeline([frames(9)[2], frames(9)[8]] as Frame[], []);
    expect(gaps.frameText(1)).toBe("Frame 2 of 2, 1.6 s");
  });

  it("that are open come next, from the beginning again at the end", () => {
    const done = frames(4).map((frame, at) => ({ ...frame, open: at < 2 }));
    const some = new Timeline(done, []);
    expect([some.nextOpen(0), some.nextOpen(1), some.nextOpen(3)]).toEqual([1, 0, 0]);
    expect(new Timeline(frames(4, { open: false }), []).nextOpen(1)).toBeNull();
  });

  it("have times that are written no closer than they may", () => {
    const long = new Timeline(frames(301), []);
    const ticks = long.ticks(600, 60);
    expect(ticks.map((tick) => tick.label)).toEqual(["0 s", "10 s", "20 s", "30 s", "40 s", "50 s", "1:00"]);
    expect(ticks[1]?.place).toBeCloseTo(50);
    expect(new Timeline(frames(5), []).ticks(300, 90).map(({ place }) => place)).toEqual([0, 2.5]);
    expect(long.ticks(0, 60)).toHaveLength(1);
    expect(new Timeline([], []).ticks(600, 60)).toEqual([]);
    expect([timeText(2.44), timeText(59.9), timeText(125)]).toEqual(["2.4 s", "59.9 s", "2:05"]);
  });
});

describe("a track", () => {
  const cat = track("cat", "A99.63A.");
  const line = new Timeline(frames(8), [cat, track("dog", "...A....")]);

  it("is drawn in runs: accepted, proposed by how sure, and gaps", () => {
    expect(line.runs(cat)).toEqual([
      { from: 0, to: 0, status: "accepted", sureness: SURE },
      { from: 1, to: 2, status: "proposed", sureness: 3 },
      { from: 4, to: 4, status: "proposed", sureness: 1 },
      { from: 5, to: 5, status: "proposed", sureness: 0 },
      { from: 6, to: 6, status: "accepted", sureness: SURE },
    ]);
  });

  it("leads from one accepted mask to the next, and any track does where none is chosen", () => {
    expect([line.keyframe(cat, 0, 1), line.keyframe(cat, 6, -1), line.keyframe(cat, 6, 1)]).toEqual([6, 0, null]);
    expect(line.keyframe(null, 0, 1)).toBe(3);
  });

  it("is followed up to what people vouch for, else to the end", () => {
    expect(line.framesAhead(cat, 0, 1)).toBe(5);
    expect(line.framesAhead(cat, 6, 1)).toBe(1);
    expect(line.framesAhead(null, 2, -1)).toBe(2);
  });

  it("is accepted from behind the last accepted mask up to a frame", () => {
    expect(line.proposedUpTo(cat, 4).map((mask) => mask.id)).toEqual(["cat1", "cat2", "cat4"]);
    expect(line.proposedUpTo(cat, 7)).toEqual([]);
  });

  it("stays the same object while nothing changed on it, and takes over what this browser knows better", () => {
    const again = line.withTracks([track("cat", "A99.63A."), track("dog", "...9....")]);
    expect(again.tracks[0]).toBe(cat);
    expect(again.tracks[1]).not.toBe(line.tracks[1]);
    const mine: TrackMask = { id: "new", image: IMAGE + 3, status: "accepted", confidence: null };
    const here = line.withFrame(IMAGE + 3, new Map([["cat", mine]]));
    expect(here.mask(here.track("cat") as Track, 3)?.id).toBe("new");
    expect(here.track("dog")?.masks).toEqual([]);
  });
});

describe("what is most worth correcting", () => {
  it("is doubtful and far from what people vouch for", () => {
    const cat = track("cat", "A2999992");
    const line = new Timeline(frames(8), [cat]);
    expect(line.doubts(cat)[0]).toMatchObject({ track: "cat", place: 7 });
  });

  it("is one frame of neighbours that share a mistake", () => {
    const line = new Timeline(frames(9), [track("cat", "A9911199."), track("dog", "A...1....")]);
    const places = line.doubts(null).map(({ track: id, place }) => `${id}${place}`);
    expect(places.filter((one) => one.startsWith("cat"))).toEqual(["cat5", "cat2"]);
    expect(places).toContain("dog4");
  });

  it("is nothing where people have looked at everything, and all of it where nobody has", () => {
    expect(new Timeline(frames(3), [track("cat", "AAA")]).doubts(null)).toEqual([]);
    expect(new Timeline(frames(3), [track("cat", "?..")]).doubts(null)).toEqual([{ track: "cat", place: 0, score: 1 }]);
  });
});

it("works for 3,000 frames of 50 tracks", () => {
  const many = Array.from({ length: 50 }, (_, at) => track(`${at}`, "A".padEnd(3000, "98765432".slice(at % 8))));
  const line = new Timeline(frames(3000), many);
  for (const one of line.tracks) expect(line.runs(one).length).toBeGreaterThan(1);
  expect(line.doubts(null).length).toBeGreaterThan(100);
});
