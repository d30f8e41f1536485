import { expect, it } from "vitest";
import { Dwell } from "./dwell";
import { screenPoint } from "./geometry";

function hand() {
  const seen: string[] = [];
  let timer: (() => void) | null = null;
  const dwell = new Dwell({
    later: (work) => {
      timer = work;
      return () => {
        timer = null;
      };
    },
    resting: (at) => seen.push(at ? `rest ${at.x}` : "over"),
    click: (at) => seen.push(`click ${at.x}`),
  });
  const wait = () => {
    const work = timer;
    timer = null;
    work?.();
  };
  return { seen, dwell, wait };
}

it("clicks where the pointer rests, once, until it moves on", () => {
  const { seen, dwell, wait } = hand();
  dwell.move(screenPoint(10, 10), 800);
  dwell.move(screenPoint(14, 12), 800); // trembling is resting
  wait();
  dwell.move(screenPoint(12, 10), 800);
  wait();
  dwell.move(screenPoint(50, 10), 800);
  wait();
  expect(seen).toEqual(["rest 10", "over", "click 10", "rest 50", "over", "click 50"]);
});

it("gives up when the pointer moves, leaves, or dwelling is switched off", () => {
  const { seen, dwell, wait } = hand();
  dwell.move(screenPoint(10, 10), 800);
  dwell.move(screenPoint(40, 10), 800);
  dwell.stop();
  wait();
  dwell.move(screenPoint(40, 10), null);
  wait();
  expect(seen).toEqual(["rest 10", "over", "rest 40", "over"]);
});
