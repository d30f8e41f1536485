import {
  type InputHTMLAttributes,
  type ReactNode,
  type SelectHTMLAttributes,
  type TextareaHTMLAttributes,
  useState,
} from "react";
import { messageOf } from "../../api/client";
import { Field, Note } from "./kit";

interface CardFormProps {
  title: string;
  /** What the server said to the last attempt, if it refused. */
  error: unknown;
  submit: () => void;
  children: ReactNode;
}

/** A form on a card of its own. */
export function CardForm({ title, error, submit, children }: CardFormProps) {
  return (
    <form
      className="card card--pad stack"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <h2>{title}</h2>
      {error != null && <Note tone="bad">{messageOf(error)}</Note>}
      {children}
    </form>
  );
}

/** The attributes of an element that holds a text, which it hands on as a text. */
type Labelled<Attributes, Value = string> = Omit<Attributes, "id" | "className" | "value" | "onChange"> & {
  label: string;
  hint?: string;
  value: Value;
  onChange: (value: Value) => void;
};

/** One line, of any type that the browser knows. */
export function TextField({ label, hint, onChange, ...rest }: Labelled<InputHTMLAttributes<HTMLInputElement>>) {
  return (
    <Field label={label} hint={hint}>
      {(id, hintId) => (
        <input
          {...rest}
          id={id}
          className="input"
          aria-describedby={hintId}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
    </Field>
  );
}

interface NumberInputProps extends Omit<InputHTMLAttributes<HTMLInputElement>, "type" | "value" | "onChange"> {
  /** Null: the field is empty. */
  value: number | null;
  onNumber: (value: number | null) => void;
}

/**
 * A number as it is typed; once the field is left, as it counts. Were it shown as it counts with every key, "0.0" would
 * become "0" on the way to 0.05.
 */
export function NumberInput({ value, onNumber, ...rest }: NumberInputProps) {
  const [typed, setTyped] = useState<string | null>(null);
  return (
    <input
      {...rest}
      type="number"
      value={typed ?? String(value ?? "")}
      onChange={({ target }) => {
        setTyped(target.value);
        onNumber(target.value === "" ? null : Number(target.value));
      }}
      onBlur={() => setTyped(null)}
    />
  );
}

type NumberProps = Omit<Labelled<InputHTMLAttributes<HTMLInputElement>, number>, "type">;

/** A number that has to be given; while the field is empty it is 0. */
export function NumberField({ label, hint, onChange, ...rest }: NumberProps) {
  return (
    <Field label={label} hint={hint}>
      {(id, hintId) => (
        <NumberInput
          {...rest}
          id={id}
          className="input"
          aria-describedby={hintId}
          required
          onNumber={(value) => onChange(value ?? 0)}
        />
      )}
    </Field>
  );
}

/** Several lines. */
export function TextArea({ label, hint, onChange, ...rest }: Labelled<TextareaHTMLAttributes<HTMLTextAreaElement>>) {
  return (
    <Field label={label} hint={hint}>
      {(id, hintId) => (
        <textarea
          {...rest}
          id={id}
          className="input"
          aria-describedby={hintId}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
    </Field>
  );
}

/** One of several: `children` are its options, whose values are of the type of `value`. */
export function SelectField<Value extends string>({
  label,
  hint,
  onChange,
  ...rest
}: Labelled<SelectHTMLAttributes<HTMLSelectElement>, Value>) {
  return (
    <Field label={label} hint={hint}>
      {(id, hintId) => (
        <select
          {...rest}
          id={id}
          className="input"
          aria-describedby={hintId}
          onChange={(event) => onChange(event.target.value as Value)}
        />
      )}
    </Field>
  );
}
