import { type ReactNode, useId } from "react";

interface SliderProps {
  label: string;
  low: number;
  high: number;
  step?: number;
  value: number;
  /** What is written beside it; the value itself if nothing else is meant. */
  text?: string;
  set: (value: number) => void;
  /** Instead of the text beside it. */
  children?: ReactNode;
}

export function Slider({ label, low, high, step = 0.05, value, text = value.toFixed(2), set, children }: SliderProps) {
  const id = useId();
  return (
    <div className="view-panel__slider">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        type="range"
        min={low}
        max={high}
        step={step}
        value={value}
        aria-valuetext={text}
        onChange={(event) => set(Number(event.target.value))}
      />
      {children || <output htmlFor={id}>{text}</output>}
    </div>
  );
}
