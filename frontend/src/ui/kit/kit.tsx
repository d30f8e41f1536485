import { CircleAlert, Compass, Info, LoaderCircle, type LucideIcon, TriangleAlert, X } from "lucide-react";
import { Tooltip as RadixTooltip } from "radix-ui";
import { type ButtonHTMLAttributes, type ReactNode, type Ref, useId, useLayoutEffect, useRef } from "react";
import { Link } from "react-router";
import { ApiError, messageOf } from "../../api/client";

type Look = "primary" | "quiet" | "danger";
type ButtonSize = "small" | "large";

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  look?: Look;
  size?: ButtonSize;
  icon?: LucideIcon;
  busy?: boolean;
  ref?: Ref<HTMLButtonElement>;
}

export function buttonClass(look?: Look, size?: ButtonSize, extra = ""): string {
  return ["button", look && `button--${look}`, size && `button--${size}`, extra].filter(Boolean).join(" ");
}

export function Button({ look, size, icon: Icon, busy, className, children, disabled, ...rest }: ButtonProps) {
  return (
    <button type="button" className={buttonClass(look, size, className)} disabled={disabled || busy} {...rest}>
      {busy ? <LoaderCircle className="spinner" size={17} aria-hidden /> : Icon ? <Icon size={17} aria-hidden /> : null}
      {children}
    </button>
  );
}

interface IconButtonProps extends Omit<ButtonProps, "children"> {
  icon: LucideIcon;
  label: string;
  /** Shown in the tooltip. */
  stroke?: string;
}

/** A button with only a picture: its name is for screen readers and in the tooltip. */
export function IconButton({ icon: Icon, label, stroke, className, look, size, ...rest }: IconButtonProps) {
  return (
    <Tooltip label={label} stroke={stroke}>
      <button
        type="button"
        aria-label={label}
        className={buttonClass(look, size, `button--icon ${className ?? ""}`)}
        {...rest}
      >
        <Icon size={size === "small" ? 16 : 19} aria-hidden />
      </button>
    </Tooltip>
  );
}

export function Tooltip({ label, stroke, children }: { label: string; stroke?: string; children: ReactNode }) {
  return (
    <RadixTooltip.Root>
      <RadixTooltip.Trigger asChild>{children}</RadixTooltip.Trigger>
      <RadixTooltip.Portal>
        <RadixTooltip.Content className="tooltip" sideOffset={6} collisionPadding={8}>
          {label}
          {stroke && <kbd>{stroke}</kbd>}
        </RadixTooltip.Content>
      </RadixTooltip.Portal>
    </RadixTooltip.Root>
  );
}

export type Tone = "good" | "warn" | "bad" | "info" | "accent";

export function Badge({ tone, title, children }: { tone?: Tone; title?: string; children: ReactNode }) {
  return (
    <span className={tone ? `badge badge--${tone}` : "badge"} title={title}>
      {children}
    </span>
  );
}

/** `value` 0..1; null: something happens, nobody knows how far. */
export function Bar({ value, label }: { value: number | null; label: string }) {
  return <progress className="bar" aria-label={label} max={1} value={value ?? undefined} />;
}

const NOTE_ICONS = { info: Info, good: Info, warn: TriangleAlert, bad: CircleAlert };

export function Note({ tone = "info", children }: { tone?: keyof typeof NOTE_ICONS; children: ReactNode }) {
  const Icon = NOTE_ICONS[tone];
  return (
    <div className={`note note--${tone}`} role={tone === "bad" ? "alert" : "status"}>
      <Icon size={17} aria-hidden />
      <div>{children}</div>
    </div>
  );
}

interface StateProps {
  icon: LucideIcon;
  title: string;
  /** Where nothing else on the page is a heading of the first level. */
  page?: boolean;
  children?: ReactNode;
  action?: ReactNode;
}

/** What a page says when there is nothing to list yet. */
export function EmptyState({ icon: Icon, title, page, children, action }: StateProps) {
  const Heading = page ? "h1" : "h2";
  return (
    <div className="state">
      <span className="state__icon">
        <Icon size={25} aria-hidden />
      </span>
      <Heading>{title}</Heading>
      {children && <p>{children}</p>}
      {action}
    </div>
  );
}

/** What stands where a link leads to something that is gone, or that is not this person's. */
export function NothingHere() {
  return (
    <EmptyState
      page
      icon={Compass}
      title="There is nothing at this address"
      action={
        <Link className={buttonClass("primary")} to="/">
          To the datasets
        </Link>
      }
    >
      It may have been deleted, or you are not a member of its dataset.
    </EmptyState>
  );
}

interface ErrorStateProps {
  error: unknown;
  retry?: () => void;
  page?: boolean;
}

export function ErrorState({ error, retry, page }: ErrorStateProps) {
  const Heading = page ? "h1" : "h2";
  return (
    <div className="state state--error" role="alert">
      <span className="state__icon">
        <CircleAlert size={25} aria-hidden />
      </span>
      <Heading>That did not work</Heading>
      <p>{messageOf(error)}</p>
      {retry && <Button onClick={retry}>Try again</Button>}
    </div>
  );
}

/** Instead of a page: what it is about could not be asked for, or is not there. */
export function ErrorPage({ error, retry }: Omit<ErrorStateProps, "page">) {
  const gone = error instanceof ApiError && error.code === "not_found";
  return (
    <main className="page" id="content">
      {gone ? <NothingHere /> : <ErrorState page error={error} retry={retry} />}
    </main>
  );
}

interface TableScrollProps {
  label: string;
  card?: boolean;
  children: ReactNode;
}

/** A table that may be wider than the screen. It takes the focus, so that the arrow keys can move it sideways. */
export function TableScroll({ label, card, children }: TableScrollProps) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keys
    <section className={card ? "card table-scroll" : "table-scroll"} aria-label={label} tabIndex={0}>
      {children}
    </section>
  );
}

export function Loading({ label }: { label: string }) {
  return (
    <div className="state" role="status">
      <LoaderCircle className="spinner" size={26} aria-hidden />
      <span className="sr-only">{label}</span>
    </div>
  );
}

interface FieldProps {
  label: string;
  hint?: string;
  /** Draws what is filled in, under `id`; where there is a hint, `hintId` belongs into its `aria-describedby`. */
  children: (id: string, hintId: string | undefined) => ReactNode;
}

/** A label, what is filled in, and a hint (the plain kinds of it are in `fields.tsx`). */
export function Field({ label, hint, children }: FieldProps) {
  const id = useId();
  const hintId = hint ? `${id}hint` : undefined;
  return (
    <div className="field">
      <label className="field__label" htmlFor={id}>
        {label}
      </label>
      {children(id, hintId)}
      {hint && (
        <span id={hintId} className="muted small">
          {hint}
        </span>
      )}
    </div>
  );
}

interface DialogProps {
  title: string;
  onClose: () => void;
  wide?: boolean;
  children: ReactNode;
}

/** Whether a pointer is beside the element; its border and its scrollbars belong to it. */
function isBeside(element: HTMLElement, { clientX, clientY }: { clientX: number; clientY: number }): boolean {
  const { left, right, top, bottom } = element.getBoundingClientRect();
  return clientX < left || clientX > right || clientY < top || clientY > bottom;
}

/** The browser's own modal dialog: it keeps focus, closes on Esc and needs no injected styles. Mounted means open. */
export function Dialog({ title, onClose, wide, children }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  // Closed before React takes it out of the page: only then does the browser give the focus back to what opened it.
  useLayoutEffect(() => {
    const dialog = element.current;
    dialog?.showModal();
    // The browser would choose the close button; what is to be filled in is the better place to start.
    dialog?.querySelector<HTMLElement>("input, textarea")?.focus();
    return () => dialog?.close();
  }, []);
  return (
    <dialog
      ref={element}
      className={wide ? "dialog dialog--wide" : "dialog"}
      aria-labelledby={titleId}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onKeyDown={(event) => event.stopPropagation()}
      onMouseDown={(event) => {
        if (event.target === element.current && isBeside(element.current, event)) onClose();
      }}
    >
      <div className="dialog__head">
        <h2 id={titleId}>{title}</h2>
        <button
          type="button"
          className={buttonClass("quiet", undefined, "button--icon")}
          aria-label="Close"
          onClick={onClose}
        >
          <X size={19} aria-hidden />
        </button>
      </div>
      <div className="dialog__body">{children}</div>
    </dialog>
  );
}
