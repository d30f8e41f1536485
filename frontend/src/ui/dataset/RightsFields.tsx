import { SelectField, TextField } from "../kit/fields";

export interface Rights {
  licence: string;
  source: string;
  credit: string;
  consent: string;
}

export const NO_RIGHTS: Rights = { licence: "", source: "", credit: "", consent: "" };

export const CONSENTS = [
  { value: "given", label: "Given by the people shown" },
  { value: "not_needed", label: "Not needed: nobody can be recognised" },
  { value: "refused", label: "Refused or withdrawn" },
];

const TEXTS = [
  { name: "licence", label: "Licence", longest: 200 },
  { name: "source", label: "Source", longest: 500 },
  { name: "credit", label: "Photographer", longest: 500 },
] as const;

/** What is known of a picture's rights; what stays empty is not said. */
export function RightsFields({ value, change }: { value: Rights; change: (value: Rights) => void }) {
  return (
    <div className="fields">
      {TEXTS.map((text) => (
        <TextField
          key={text.name}
          label={text.label}
          maxLength={text.longest}
          value={value[text.name]}
          onChange={(typed) => change({ ...value, [text.name]: typed })}
        />
      ))}
      <SelectField label="Consent" value={value.consent} onChange={(chosen) => change({ ...value, consent: chosen })}>
        <option value="">Not said</option>
        {CONSENTS.map((one) => (
          <option key={one.value} value={one.value}>
            {one.label}
          </option>
        ))}
      </SelectField>
    </div>
  );
}

/** Only what was filled in. */
export const said = (rights: Rights): Record<string, string> =>
  Object.fromEntries(Object.entries(rights).filter(([, text]) => text.trim() !== ""));
