import { beforeEach, expect, it } from "vitest";
import { Playhead } from "./playhead";

let opened: number[];
let notices: string[];
let now: number;
let timers: { work: () => void; cancelled: boolean }[];
let playhead: Playhead;

beforeEach(() => {
  [opened, notices, timers, now] = [[], [], [], 0];
  playhead = new Playhead({
    last: () => 9,
    rate: () => 5,
    open: (place) => opened.push(place),
    ready: async () => undefined,
    changed: () => undefined,
    notice: (message) => notices.push(message),
    now: () => now,
    later: (work) => {
      const timer = { work, cancelled: false };
      timers.push(timer);
      return () => {
        timer.cancelled = true;
      };
    },
  });
});

/** Lets all timers run out that nobody has cancelled. */
function wait(): void {
  for (const timer of timers.splice(0)) if (!timer.cancelled) timer.work();
}

async function elapse(): Promise<void> {
  wait();
  for (let i = 0; i < 5; i++) await Promise.resolve();
}

it("opens a single step at once, and of a held key only where it comes to rest", () => {
  now = 1000;
  playhead.step(1);
  expect(opened).toEqual([1]);
  for (let i = 0; i < 4; i++) {
    now += 40;
    playhead.step(1);
  }
  expect([playhead.at, opened]).toEqual([5, [1]]);
  wait();
  expect(opened).toEqual([1, 5]);
});

it("ends at the first and the last frame, and says so", () => {
  playhead.step(-1);
  playhead.goTo(9);
  playhead.step(1);
  expect(notices).toEqual(["This is the first frame.", "This is the last frame."]);
  expect(playhead.at).toBe(9);
});

it("only shows what it is dragged over, and opens where it is let go", () => {
  playhead.show(3);
  playhead.show(7);
  expect(opened).toEqual([]);
  playhead.rest();
  expect(opened).toEqual([7]);
  playhead.arrive(7);
  playhead.rest();
  expect(opened).toEqual([7]);
});

it("stays where somebody has gone on to while a frame was opening", () => {
  playhead.goTo(2);
  playhead.show(6);
  playhead.arrive(2);
  expect([playhead.at, playhead.opened]).toEqual([6, 2]);
});

it("plays to the end and opens the last frame; from the end it begins again", async () => {
  playhead.goTo(7);
  playhead.arrive(7);
  opened = [];
  const playing = playhead.play();
  await elapse();
  expect([playhead.at, playhead.playing]).toEqual([8, true]);
  await elapse();
  await playing;
  expect([playhead.at, playhead.playing, opened]).toEqual([9, false, [9]]);
  playhead.arrive(9);
  void playhead.play();
  expect(playhead.at).toBe(0);
});

it("holds still in the middle, and opens what is shown", async () => {
  playhead.toggle();
  await elapse();
  await elapse();
  playhead.toggle();
  expect([playhead.playing, opened]).toEqual([false, [2]]);
  await elapse();
  expect(playhead.at).toBe(2);
});

it("takes back an opening that is under way when somebody steps back before it is there", () => {
  now = 1000;
  playhead.step(1);
  now = 2000;
  playhead.step(-1);
  expect(opened).toEqual([1, 0]);
  playhead.arrive(0);
  playhead.rest();
  expect(opened).toEqual([1, 0]);
});
