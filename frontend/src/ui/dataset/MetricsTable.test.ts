import { createElement } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { describe, expect, it } from "vitest";
import type { Comparison, TrainingRun } from "../../api/types";
import { MetricsTable } from "./MetricsTable";

const difference = { serving: 0.8, candidate: 0.9, mean: 0.1, low: 0.05, high: 0.15, masks: 12 };
const comparison = { combined: difference, metrics: {} } as unknown as Comparison;

describe("what the gate compared", () => {
  it("calls stages by their names, and categories as people wrote them", () => {
    const groups = { stage: { semi_automatic: comparison }, category: { leaf_disc: comparison } };
    const gate = { ...comparison, confidence: 0.95, resampled: "images", groups };
    const run = { decision: { gate }, evaluations: [] } as unknown as TrainingRun;
    const page = renderToStaticMarkup(createElement(MetricsTable, { run }));
    expect(page).toContain("<b>semi-automatic</b>");
    expect(page).toContain("<b>leaf_disc</b>");
  });
});
